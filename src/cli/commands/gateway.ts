/** `leasehold gateway`: mints keys with a cap for a service that speaks the OpenAI API, and stands in front of it. */
import { resolve } from "node:path";
import type { Log } from "../../platform/log.ts";
import { createGateway, type DEFAULT_SETTINGS, type Gateway } from "../../provisioners/gateway/gateway.ts";
import { type GatewayListener, listenForGateway } from "../../provisioners/gateway/gateway-listener.ts";
import { readTlsPair } from "../../server/tls-files.ts";
import { isLoopbackAddress } from "../../transports/host-check.ts";
import { CliError, usageError } from "../cli-error.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { aborted, listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { explainListenFailure, type ListeningOptions, readListenOptions } from "../options/listening.ts";
import { type LoggingOptions, openLog } from "../options/logging.ts";
import { parseDuration, parseTokens } from "../options/numbers-and-times.ts";
import { readPrices } from "../options/prices.ts";
import { jsonLine } from "../render/sanitize.ts";

interface GatewayCommandOptions extends LoggingOptions {
  readonly upstream: string;
  readonly upstreamKeyEnv?: string;
  readonly prices: string;
  readonly data: string;
  readonly port: string;
  readonly host: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly drain: string;
  readonly outputTokens: string;
  readonly imageTokens: string;
  readonly outputLimitField: string;
  readonly allowField?: readonly string[];
}

/** As they are typed: what there is no default for may be missing. */
type GivenOptions = Omit<GatewayCommandOptions, "upstream" | "prices"> & Partial<GatewayCommandOptions>;

const ADMIN_TOKEN = "LEASEHOLD_GATEWAY_TOKEN";
const LEAST_TOKEN_LENGTH = 16;
const ADMIN_TOKEN_BYTES = 32;
const LIMIT_FIELDS = ["max_completion_tokens", "max_tokens"] as const;

interface AdminToken {
  readonly value: string;
  /** Made for this run, and told once. */
  readonly minted: boolean;
}

function readAdminToken({ env, world }: CliIo): AdminToken {
  const given = env[ADMIN_TOKEN];
  if (!given)
    return { value: `lh_${Buffer.from(world.random.bytes(ADMIN_TOKEN_BYTES)).toString("base64url")}`, minted: true };
  if (!/^\S+$/.test(given) || given.length < LEAST_TOKEN_LENGTH) {
    throw usageError(`${ADMIN_TOKEN} must be at least ${LEAST_TOKEN_LENGTH} characters without spaces`);
  }
  return { value: given, minted: false };
}

function readUpstreamKey({ upstreamKeyEnv: name }: GatewayCommandOptions, { env }: CliIo): { upstreamKey?: string } {
  if (name === undefined) return {};
  const key = env[name]?.trim();
  if (!key)
    throw usageError(`${name} is not set`, "--upstream-key-env names the variable that holds the upstream's key");
  // What cannot stand in a header would fail each call.
  if (!/^[\x21-\x7e]+$/.test(key))
    throw usageError(`${name} holds what can be no key: spaces or characters beyond ASCII`);
  return { upstreamKey: key };
}

function readSettings(options: GatewayCommandOptions): typeof DEFAULT_SETTINGS {
  const outputLimitField = LIMIT_FIELDS.find((name) => name === options.outputLimitField);
  if (outputLimitField === undefined) {
    throw usageError(`--output-limit-field must be ${LIMIT_FIELDS.join(" or ")}, not "${options.outputLimitField}"`);
  }
  return {
    outputLimitField,
    defaultOutputTokens: parseTokens(options.outputTokens, "--output-tokens"),
    imageTokens: parseTokens(options.imageTokens, "--image-tokens"),
    allowedFields: new Set(options.allowField),
  };
}

async function open(
  options: GatewayCommandOptions,
  adminToken: string,
  log: Log,
  io: CliIo,
  broken: AbortController,
): Promise<Gateway> {
  const prices = await readPrices(options.prices, io);
  const settings = readSettings(options);
  const upstreamKey = readUpstreamKey(options, io);
  try {
    return await createGateway({
      upstream: options.upstream,
      ...upstreamKey,
      prices,
      adminToken,
      directory: resolve(io.cwd, options.data),
      settings,
      world: io.world,
      log,
      onBroken: (error) => broken.abort(error),
    });
  } catch (error) {
    if (error instanceof RangeError) throw usageError(error.message, "check --upstream and --prices");
    throw error;
  }
}

async function listen(gateway: Gateway, options: GatewayCommandOptions, io: CliIo): Promise<GatewayListener> {
  const listening: ListeningOptions = options;
  const { port, host = "127.0.0.1", tls } = readListenOptions(listening, io.cwd);
  try {
    return await listenForGateway(gateway, { port, host, ...(tls && { tls: await readTlsPair(tls) }) });
  } catch (error) {
    throw explainListenFailure(error as NodeJS.ErrnoException, { host, port });
  }
}

/** @throws CliError USAGE. */
function required(value: string | undefined, option: string, remedy: string): string {
  if (value === undefined) throw usageError(`${option} is missing`, remedy);
  return value;
}

/** Serves until SIGINT, SIGTERM or SIGHUP; calls under way then have `--drain` to end. */
export async function gateway(given: GivenOptions, io: CliIo): Promise<ExitCode> {
  const options: GatewayCommandOptions = {
    ...given,
    upstream: required(given.upstream, "--upstream", "name the service, such as --upstream https://api.openai.com/v1"),
    prices: required(given.prices, "--prices", "name a JSON file that says what its models cost"),
  };
  const drainMs = parseDuration(options.drain, "--drain", 0) * 1_000;
  using interrupt = listenForInterrupt(io, ["output-closed"]);
  const log = openLog(options, "info", io);
  const admin = readAdminToken(io);
  const { host, tlsCert } = options;
  const broken = new AbortController();
  const running = await open(options, admin.value, log, io, broken);
  let listener: GatewayListener;
  try {
    listener = await listen(running, options, io);
  } catch (error) {
    await running.close();
    throw error;
  }
  if (tlsCert === undefined && host !== "localhost" && !isLoopbackAddress(host)) {
    log.warn({ host }, "listening beyond this machine without TLS: keys cross the network in the clear");
  }
  const service = URL.parse(options.upstream);
  if (options.upstreamKeyEnv !== undefined && service?.protocol === "http:" && !isLoopbackAddress(service.hostname)) {
    log.warn({ upstream: service.host }, "the upstream is asked without TLS: its key crosses the network in the clear");
  }
  const { origin } = listener;
  if (options.json) {
    const token = admin.minted ? { admin_token: admin.value } : {};
    io.stdout.write(jsonLine({ type: "ready", url: `${origin}/v1`, admin_url: origin, ...token, pid: io.pid }));
  } else {
    io.stdout.write(`gateway in front of ${options.upstream} at ${origin}/v1\n`);
    if (admin.minted) io.stdout.write(`admin token of this run: ${admin.value}\n`);
  }

  await aborted(AbortSignal.any([interrupt.signal, broken.signal]));
  const closed = listener.close();
  listener.drop();
  if (!broken.signal.aborted && running.underWay > 0) {
    log.info({ calls: running.underWay, drain: options.drain }, "waiting for calls under way to end");
    const late = Promise.withResolvers<void>();
    const timer = io.world.timers.after(drainMs, late.resolve);
    await Promise.race([closed, late.promise]);
    timer.cancel();
  }
  await running.close();
  listener.drop(true);
  await closed;
  if (broken.signal.aborted) {
    throw new CliError("FAILED", `the gateway cannot go on: ${(broken.signal.reason as Error).message}`);
  }
  return EXIT.ok;
}

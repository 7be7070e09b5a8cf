/** Which runtime a command talks to: the options, then the environment, then what `leasehold dev` left here. */
import { isLoopbackAddress } from "../transports/host-check.ts";
import { CliError, usageError } from "./cli-error.ts";
import { readDevFile } from "./dev-file.ts";
import { EXIT } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";

export interface ConnectionOptions {
  readonly url?: string;
  readonly token?: string;
}

export interface Target {
  readonly url: string;
  readonly token: string;
}

/** The path of the ARCP endpoint, added to a URL that names none. */
const ARCP_PATH = "/arcp";

function webSocketUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["ws:", "wss:", "http:", "https:"].includes(url.protocol)) {
    throw usageError(`"${text}" is not the URL of a runtime`, "write, say, ws://127.0.0.1:7777/arcp");
  }
  if (url.username !== "" || url.password !== "") {
    throw usageError(
      "the URL of a runtime holds no user or password",
      "give its token with LEASEHOLD_TOKEN or --token",
    );
  }
  url.hash = "";
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (url.pathname === "/") url.pathname = ARCP_PATH;
  return url.href;
}

function isLoopbackUrl(text: string): boolean {
  const host = URL.parse(text)?.hostname.replace(/^\[|\]$/g, "") ?? "";
  return host === "localhost" || isLoopbackAddress(host);
}

/** It travels in a header, where nothing else may stand. @throws CliError USAGE, which does not show it. */
function checkedToken(token: string): string {
  if (/^[!-~]+$/.test(token)) return token;
  throw usageError("the token holds spaces, line breaks or other characters no token has", "set it to the token alone");
}

/**
 * A URL and a token, each from the first place that has one: `--url`/`--token`, LEASEHOLD_URL/LEASEHOLD_TOKEN,
 * `.leasehold/dev.json`. The token in that file belongs to its URL and is sent to no other; and since anybody's project may
 * bring such a file along, a token from elsewhere is sent to its URL only on this machine.
 * @throws CliError NO_TARGET, saying what to set, or USAGE for a malformed URL.
 */
export async function findTarget(options: ConnectionOptions, io: CliIo): Promise<Target> {
  const named = options.url ?? (io.env.LEASEHOLD_URL || undefined);
  const givenToken = options.token ?? (io.env.LEASEHOLD_TOKEN || undefined);
  const token = givenToken === undefined ? undefined : checkedToken(givenToken);
  const url = named === undefined ? undefined : webSocketUrl(named);
  if (url !== undefined && token !== undefined) return { url, token };

  const dev = await readDevFile(io.cwd);
  if (url !== undefined) {
    if (dev?.url === url) return { url, token: dev.token };
    throw new CliError("NO_TARGET", `there is no token for ${url}`, {
      remedy: "set LEASEHOLD_TOKEN or pass --token (make one with `leasehold token create`)",
      exitCode: EXIT.notPermitted,
    });
  }
  if (dev === undefined) {
    throw new CliError("NO_TARGET", "no runtime is known here", {
      remedy: "start one in this directory with `leasehold dev`, or set LEASEHOLD_URL and LEASEHOLD_TOKEN",
      exitCode: EXIT.unreachable,
    });
  }
  if (!io.isAlive(dev.pid)) {
    throw new CliError("NO_TARGET", `the runtime of .leasehold/dev.json is gone (pid ${dev.pid})`, {
      remedy: "start it again with `leasehold dev`, or set LEASEHOLD_URL and LEASEHOLD_TOKEN",
      exitCode: EXIT.unreachable,
    });
  }
  if (token !== undefined && !isLoopbackUrl(dev.url)) {
    throw new CliError("NO_TARGET", `the token is not sent to ${dev.url}, which only .leasehold/dev.json names`, {
      remedy: "name the runtime it is for with --url or LEASEHOLD_URL",
      exitCode: EXIT.notPermitted,
    });
  }
  return { url: dev.url, token: token ?? dev.token };
}

/** How a running runtime looks from here: reached, ready, its certificate, its clock, and what a session with it can do. */
import { connect as connectTls, type TLSSocket, type ConnectionOptions as TlsTarget } from "node:tls";
import * as v from "valibot";
import { apiUrl, getJson } from "../api-request.ts";
import type { Target } from "../connection.ts";
import type { CliIo } from "../io.ts";
import { openSessionAt } from "../open-session.ts";
import { type Finding, findingsOf, messageOf } from "./finding.ts";

/** Certificates are usually renewed a month ahead: one this close to its end was not. */
const SOON_DAYS = 14;
const DAY_MS = 86_400_000;
/** Beyond, what is told in points in time (expiry of leases and tokens) is felt to be off. */
const SKEW_MS = 2_000;
/** Beyond, JWTs are refused. */
const MAX_SKEW_MS = 30_000;

/** The quickest answer tells the time best; the first may have waited for the API to be loaded. */
const CLOCK_ROUNDS = 3;

/** What is read of the answer. */
const Health = v.looseObject({ now: v.string() });

export async function checkRuntime(target: Target, signal: AbortSignal, io: CliIo): Promise<Finding[]> {
  const findings: Finding[] = [];
  const secure = new URL(target.url).protocol === "wss:";
  if (secure) findings.push(await checkCertificate(target.url, io.world.clock.now(), signal));
  const reached = await checkReach(target, signal);
  findings.push(reached);
  if (reached.status === "fail") return findings;
  findings.push(await checkSession(target, signal, io), await checkClock(target, signal, io));
  return findings;
}

async function checkReach({ url }: Target, signal: AbortSignal): Promise<Finding> {
  const runtime = findingsOf("runtime");
  const ready = apiUrl(url, "/readyz");
  try {
    const answer = await fetch(ready, { signal, redirect: "manual" });
    const body = (await answer.json().catch(() => ({}))) as { readonly status?: unknown; readonly reason?: unknown };
    if (answer.status === 200 && body.status === "ready") return runtime.ok(`${url} is reached, and ready`);
    if (body.reason === "store_failing") {
      return runtime.warn(`${url} cannot store anything`, "look at its disk and its log");
    }
    if (body.reason === "draining") return runtime.warn(`${url} is shutting down`, "start it again, if it should run");
    return runtime.warn(`${url} answers, though not as a Leasehold runtime (${answer.status})`, "check the URL");
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
    return runtime.fail(`${url} is not reached (${cause})`, "check that it runs, the URL, and what is in between");
  }
}

async function checkSession(target: Target, signal: AbortSignal, io: CliIo): Promise<Finding> {
  const session = findingsOf("session");
  try {
    await using open = await openSessionAt(target, signal, io);
    const { agents, features } = open;
    const offered = agents.map(({ name }) => name).join(", ");
    return session.ok(`the token is good; agents: ${offered || "none"}; features: ${[...features].sort().join(", ")}`);
  } catch (error) {
    const remedy =
      error instanceof Error && "code" in error && error.code === "UNAUTHENTICATED"
        ? "check the token (LEASEHOLD_TOKEN or --token), and when it expires: `leasehold token list`"
        : "check the URL, and whether a proxy in between passes WebSockets on";
    return session.fail(messageOf(error), remedy);
  }
}

async function checkClock(target: Target, signal: AbortSignal, io: CliIo): Promise<Finding> {
  const clock = findingsOf("clock");
  let best: { readonly tripMs: number; readonly skew: number } | undefined;
  for (let round = 0; round < CLOCK_ROUNDS; round++) {
    const asked = io.world.clock.now();
    const health = await getJson(target, "/api/health", {}, Health, signal).catch(() => undefined);
    const answered = io.world.clock.now();
    const theirs = Date.parse(health?.now ?? "");
    if (Number.isNaN(theirs)) return clock.skip("the runtime does not say what time it is");
    const tripMs = answered - asked;
    if (best === undefined || tripMs < best.tripMs) best = { tripMs, skew: theirs - (asked + answered) / 2 };
  }
  const skew = best?.skew ?? 0;
  const message = `the runtime's is ${Math.abs(skew / 1_000).toFixed(1)} s ${skew < 0 ? "behind" : "ahead"}`;
  const remedy = "set both clocks by NTP: leases, deadlines and tokens end by them";
  if (Math.abs(skew) > MAX_SKEW_MS) return clock.fail(message, remedy);
  return Math.abs(skew) > SKEW_MS ? clock.warn(message, remedy) : clock.ok(message);
}

async function checkCertificate(url: string, now: number, signal: AbortSignal): Promise<Finding> {
  const certificate = findingsOf("certificate");
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  // Looked at whether or not it is trusted: what is wrong with it is what is asked.
  const options = { host, port: Number(port || 443), rejectUnauthorized: false };
  try {
    const socket = await openTls(/^[\d.]+$|:/.test(host) ? options : { ...options, servername: host }, signal);
    const { valid_to } = socket.getPeerCertificate();
    const { authorized, authorizationError } = socket;
    socket.destroy();
    const days = Math.floor((Date.parse(valid_to) - now) / DAY_MS);
    if (days < 0) return certificate.fail(`it has expired (${valid_to})`, "renew it");
    if (!authorized) {
      const problem = messageOf(authorizationError);
      return certificate.fail(
        `it is not trusted here (${problem})`,
        "have it issued by an authority this machine trusts, or name yours in NODE_EXTRA_CA_CERTS",
      );
    }
    const message = `valid for ${days} more days`;
    return days < SOON_DAYS ? certificate.warn(message, "renew it") : certificate.ok(message);
  } catch (error) {
    return certificate.fail(`no TLS connection (${messageOf(error)})`, "check that wss: is right for this port");
  }
}

function openTls(options: TlsTarget, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls(options, () => resolve(socket));
    socket.on("error", reject);
    signal.addEventListener("abort", () => socket.destroy(new Error("no answer in time")), { once: true });
  });
}

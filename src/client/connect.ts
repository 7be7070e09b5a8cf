/** `connect`: opens a session with a runtime, and says what every limit of the client is. */
import { createSystemWorld } from "../platform/system-world.ts";
import type { World } from "../platform/world.ts";
import { FEATURES } from "../protocol/features.ts";
import { handled } from "./handed-out.ts";
import { DEFAULT_JOB_LIMITS, type JobLimits, type Waiting } from "./job.ts";
import { DEFAULT_RECONNECT, type ReconnectPolicy } from "./reconnect.ts";
import { LiveSession, type Session } from "./session.ts";
import { type OpenWebSocket, openWebSocket } from "./web-socket.ts";

/** What the client asks for: all there is, but for secrets that it may have no use for. */
const CLIENT_FEATURES: readonly string[] = FEATURES.filter((feature) => feature !== "provisioned_credentials");

export interface ConnectOptions extends Waiting, Partial<JobLimits> {
  /** The bearer token (§6.1). Left out only where the connection itself tells who is calling, as with a child of ours. */
  readonly token?: string | undefined;
  /** What the runtime is told to call this client. Default `leasehold`. */
  readonly clientName?: string;
  /** Features to ask for (§6.2). Default: all this client knows, but for `provisioned_credentials`. */
  readonly features?: readonly string[];
  /** Asks for `provisioned_credentials`: upstream keys minted for the caller's jobs arrive as `job.credentials` (§9.8). */
  readonly credentials?: boolean;
  /** Per attempt, from opening the socket to the runtime's welcome. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** How a lost connection is made again. */
  readonly reconnect?: Partial<ReconnectPolicy>;
  /** Most requests that wait for an answer; further calls reject with `TOO_MANY_REQUESTS`. Default 10,000. */
  readonly maxPendingRequests?: number;
  /** Opens sockets. Default: the global `WebSocket`. */
  readonly webSocket?: OpenWebSocket;
  /** Clock, timers, randomness. Default: this machine's. */
  readonly world?: World;
}

/**
 * Opens a session (§6.2). From then on a lost connection is made again and the session resumed, unseen by its callers.
 * The first attempt is the only one: it rejects with `ConnectionLostError` when there is no runtime to be reached, or
 * `SessionError` when it refuses.
 * @param url such as `ws://127.0.0.1:7777/arcp`.
 */
export function connect<Agents = unknown>(url: string | URL, options: ConnectOptions): Promise<Session<Agents>> {
  return handled(open(String(url), options));
}

async function open<Agents>(url: string, options: ConnectOptions): Promise<Session<Agents>> {
  const session = new LiveSession({
    url,
    token: options.token,
    clientName: options.clientName ?? "leasehold",
    features: [...(options.features ?? CLIENT_FEATURES), ...(options.credentials ? ["provisioned_credentials"] : [])],
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    reconnect: { ...DEFAULT_RECONNECT, ...options.reconnect },
    openWebSocket: options.webSocket ?? openWebSocket,
    world: options.world ?? createSystemWorld(),
    maxPendingRequests: options.maxPendingRequests ?? 10_000,
    jobLimits: {
      maxBufferedLength: options.maxBufferedLength ?? DEFAULT_JOB_LIMITS.maxBufferedLength,
      maxResultLength: options.maxResultLength ?? DEFAULT_JOB_LIMITS.maxResultLength,
    },
  });
  await session.open(options.signal);
  // The agents' types exist for the compiler alone: at run time every session is the same.
  return session as Session as Session<Agents>;
}

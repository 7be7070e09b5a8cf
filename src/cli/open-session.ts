/** A session with the runtime that the options, the environment or `leasehold dev` name. */
import { connect } from "../client/connect.ts";
import { ConnectionLostError } from "../client/errors.ts";
import type { Session } from "../client/session.ts";
import { CliError } from "./cli-error.ts";
import { type ConnectionOptions, findTarget, type Target } from "./connection.ts";
import { EXIT } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";

/** A lost runtime is tried again this often, with growing pauses: some five minutes, long enough for a restart. */
const MAX_RECONNECTS = 20;

/**
 * @param signal gives up connecting; the session itself lives until it is closed.
 * @throws CliError UNREACHABLE; SessionError when the runtime refuses.
 */
export async function openSessionAt({ url, token }: Target, signal: AbortSignal, io: CliIo): Promise<Session> {
  try {
    return await connect(url, {
      token,
      signal,
      clientName: "leasehold-cli",
      world: io.world,
      reconnect: { maxAttempts: MAX_RECONNECTS },
    });
  } catch (error) {
    if (!(error instanceof ConnectionLostError)) throw error;
    throw new CliError("UNREACHABLE", `the runtime at ${url} cannot be reached (${error.message})`, {
      remedy: "check that it is running, and the URL",
      exitCode: EXIT.unreachable,
      cause: error,
    });
  }
}

/** @throws CliError NO_TARGET, USAGE or UNREACHABLE; SessionError when the runtime refuses. */
export async function openSession(options: ConnectionOptions, signal: AbortSignal, io: CliIo): Promise<Session> {
  return openSessionAt(await findTarget(options, io), signal, io);
}

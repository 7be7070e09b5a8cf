/** Where `dev` and `serve` listen, and whom they let in, from their options; and why they cannot. */
import { resolve } from "node:path";
import type { ListenOptions } from "../../server/listener.ts";
import { TlsError } from "../../server/tls-files.ts";
import { CliError, usageError } from "../cli-error.ts";
import { parsePort } from "./numbers-and-times.ts";

export interface ListeningOptions {
  readonly port: string;
  readonly host: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly trustedProxy?: readonly string[];
  readonly forwardedHeader?: string;
  readonly allowedHost?: readonly string[];
  readonly allowedOrigin?: readonly string[];
}

const FORWARDED_HEADERS = ["x-forwarded-for", "forwarded"] as const;

function readTls({ tlsCert, tlsKey }: ListeningOptions, cwd: string): Pick<ListenOptions, "tls"> {
  if (tlsCert === undefined && tlsKey === undefined) return {};
  if (tlsCert === undefined || tlsKey === undefined) throw usageError("--tls-cert and --tls-key go together");
  return { tls: { cert: resolve(cwd, tlsCert), key: resolve(cwd, tlsKey) } };
}

function readForwardedHeader({ forwardedHeader }: ListeningOptions): Pick<ListenOptions, "forwardedHeader"> {
  if (forwardedHeader === undefined) return {};
  const header = FORWARDED_HEADERS.find((name) => name === forwardedHeader.toLowerCase());
  if (header === undefined) {
    throw usageError(`--forwarded-header must be ${FORWARDED_HEADERS.join(" or ")}, not "${forwardedHeader}"`);
  }
  return { forwardedHeader: header };
}

/**
 * @param cwd what paths are relative to.
 * @throws CliError USAGE.
 */
export function readListenOptions(options: ListeningOptions, cwd: string): ListenOptions & { readonly port: number } {
  const { host, trustedProxy, allowedHost, allowedOrigin } = options;
  return {
    host,
    port: parsePort(options.port),
    ...readTls(options, cwd),
    ...readForwardedHeader(options),
    ...(trustedProxy === undefined ? {} : { trustedProxies: trustedProxy }),
    ...(allowedHost === undefined ? {} : { allowedHosts: allowedHost }),
    ...(allowedOrigin === undefined ? {} : { allowedOrigins: allowedOrigin }),
  };
}

/** What to do about a failure of `Runtime.listen`. */
export function explainListenFailure(
  error: NodeJS.ErrnoException,
  { host, port }: { readonly host?: string; readonly port: number },
): CliError {
  const options = { cause: error };
  if (error instanceof TlsError) {
    return new CliError("TLS_UNUSABLE", error.message, { ...options, remedy: "check --tls-cert and --tls-key" });
  }
  switch (error.code) {
    case "EADDRINUSE":
      return new CliError("PORT_TAKEN", `port ${port} is taken`, {
        ...options,
        remedy: "stop what listens there, or choose another with --port (0 takes any free one)",
      });
    case "EACCES":
      return new CliError("PORT_DENIED", `port ${port} may not be opened by this user`, {
        ...options,
        remedy: "choose one above 1023 with --port",
      });
    default:
      return new CliError("CANNOT_LISTEN", `cannot listen on ${host} port ${port} (${error.message})`, {
        ...options,
        remedy: "check --host, --port and --trusted-proxy",
      });
  }
}

/** Certificate and key of a listener: read, checked, and read again when they are renewed. */
import { readFile } from "node:fs/promises";
import type { Log } from "../platform/log.ts";
import type { Timer, Timers } from "../platform/world.ts";

export interface TlsOptions {
  /** Path of a PEM file, or PEM text: the certificate, followed by those of its issuers. */
  readonly cert: string;
  /** Path of a PEM file, or PEM text: the certificate's private key, not encrypted. */
  readonly key: string;
}

export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/** The certificate or key cannot be used; the message names which, and why. */
export class TlsError extends Error {
  override readonly name: string = "TlsError";
}

/** How often renewed files are looked for. */
export const TLS_LOOK_MS = 60_000;

function isPem(text: string): boolean {
  return text.includes("-----BEGIN ");
}

async function readPem(field: keyof TlsPair, source: string): Promise<string> {
  if (isPem(source)) return source;
  try {
    return await readFile(source, "utf8");
  } catch (cause) {
    throw new TlsError(`tls.${field}: ${source} cannot be read (${(cause as Error).message})`, { cause });
  }
}

/** `node:tls` is loaded only when it is needed. */
async function check(pair: TlsPair): Promise<void> {
  const { createSecureContext } = await import("node:tls");
  for (const field of ["cert", "key"] as const) {
    if (!isPem(pair[field])) throw new TlsError(`tls.${field} holds no PEM block (-----BEGIN …)`);
  }
  for (const [field, part] of [
    ["cert", { cert: pair.cert }],
    ["key", { key: pair.key }],
    ["key", pair],
  ] as const) {
    try {
      createSecureContext(part);
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      const mismatch = code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH";
      throw new TlsError(mismatch ? "tls.key is not the key of tls.cert" : `tls.${field} cannot be used (${message})`, {
        cause,
      });
    }
  }
}

/** @throws TlsError when a file cannot be read, holds no PEM, or the key is not the certificate's. */
export async function readTlsPair({ cert, key }: TlsOptions): Promise<TlsPair> {
  const pair = { cert: await readPem("cert", cert), key: await readPem("key", key) };
  await check(pair);
  return pair;
}

/**
 * Calls `renewed` when the files hold another pair. A pair that cannot be used, as when only one file has been replaced
 * yet, is logged, and the one in use stays.
 * @returns how to stop looking.
 */
export function watchTlsFiles(
  options: TlsOptions,
  inUse: TlsPair,
  { timers, log, renewed }: { readonly timers: Timers; readonly log: Log; renewed(pair: TlsPair): void },
): () => void {
  if (isPem(options.cert) && isPem(options.key)) return () => {};
  let current = inUse;
  let timer: Timer | undefined;
  let stopped = false;

  async function look(): Promise<void> {
    try {
      const pair = await readTlsPair(options);
      if (stopped) return;
      if (pair.cert !== current.cert || pair.key !== current.key) {
        renewed(pair);
        current = pair;
        log.info({}, "the TLS certificate was renewed");
      }
    } catch (error) {
      log.warn({ err: error }, "the TLS files cannot be used; the certificate read before stays in use");
    }
    schedule();
  }
  function schedule(): void {
    if (!stopped) timer = timers.after(TLS_LOOK_MS, () => void look());
  }
  schedule();
  return () => {
    stopped = true;
    timer?.cancel();
  };
}

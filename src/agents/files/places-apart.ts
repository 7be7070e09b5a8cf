/**
 * Places that no lease covers: the runtime's own data, and what Linux tells of its processes, such as the environment this
 * one was started with. Whoever writes a lease for `/**` has not been granted everybody's jobs and tokens.
 */
import { CodedError } from "../../protocol/errors.ts";
import { resolvePath } from "./resolve-path.ts";

export interface PlacesApart {
  has(canonical: string): boolean;
  /** @throws CodedError PERMISSION_DENIED for a canonical path within one. @param path what the agent calls it. */
  assertNotWithin(canonical: string, namespace: string, path: string): void;
}

/** A process by its number, which `self` and `thread-self` lead to. */
const OF_A_PROCESS = /^\/proc\/\d+(?:\/|$)/;

/** @param directories absolute paths. They are resolved now: they have to be there. */
export async function findPlacesApart(directories: readonly string[]): Promise<PlacesApart> {
  const places = await Promise.all(directories.map(async (directory) => (await resolvePath(directory)).canonical));
  const has = (canonical: string): boolean =>
    OF_A_PROCESS.test(canonical) || places.some((place) => canonical === place || canonical.startsWith(`${place}/`));
  return {
    has,
    assertNotWithin(canonical, namespace, path) {
      if (!has(canonical)) return;
      throw new CodedError(
        "PERMISSION_DENIED",
        `${namespace} on ${path}: it is the runtime's or a process's own, which no lease covers`,
        {
          details: { capability: namespace, target: path },
        },
      );
    },
  };
}

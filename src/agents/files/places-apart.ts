/**
 * Directories that no lease covers, such as the runtime's own data: whoever writes a lease for `/**` has not been granted
 * everybody's jobs and tokens.
 */
import { CodedError } from "../../protocol/errors.ts";
import { resolvePath } from "./resolve-path.ts";

export interface PlacesApart {
  has(canonical: string): boolean;
  /** @throws CodedError PERMISSION_DENIED for a canonical path within one. @param path what the agent calls it. */
  assertNotWithin(canonical: string, namespace: string, path: string): void;
}

/** @param directories absolute paths. They are resolved now: they have to be there. */
export async function findPlacesApart(directories: readonly string[]): Promise<PlacesApart> {
  const places = await Promise.all(directories.map(async (directory) => (await resolvePath(directory)).canonical));
  const has = (canonical: string): boolean =>
    places.some((place) => canonical === place || canonical.startsWith(`${place}/`));
  return {
    has,
    assertNotWithin(canonical, namespace, path) {
      if (!has(canonical)) return;
      throw new CodedError(
        "PERMISSION_DENIED",
        `${namespace} on ${path}: it is the runtime's own, which no lease covers`,
        {
          details: { capability: namespace, target: path },
        },
      );
    },
  };
}

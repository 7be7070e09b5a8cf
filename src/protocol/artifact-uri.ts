/**
 * Where artifacts are fetched. The `uri` of an `artifact_ref` (§8.2) is a path: it is resolved against the origin on
 * which the session was opened (`http` for `ws`, `https` for `wss`), so that it holds behind any proxy and under any
 * name of the runtime. It is fetched with the session's token: `Authorization: Bearer …`.
 */

const ARTIFACTS_PATH = "/api/artifacts/";

export function artifactUri(id: string): string {
  return `${ARTIFACTS_PATH}${encodeURIComponent(id)}`;
}

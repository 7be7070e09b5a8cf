/** `ctx.requestPermission`: authority beside the lease, asked for and decided while the job runs. */
import type { JobHost } from "../kernel/agents-port.ts";
import type { Grant, PermissionAsk } from "../kernel/authority/permission-ask.ts";
import { MAX_TARGET_LENGTH, targetKind } from "../kernel/authority/targets.ts";
import type { Outside } from "./emission.ts";
import { invalid } from "./event-bodies.ts";
import { resolvePath } from "./files/resolve-path.ts";

/** What an agent asks for; see `AgentContext.requestPermission`. */
export type PermissionRequest = Omit<PermissionAsk, "argsDigest">;

/** @param resolves whether paths are looked at here; for an agent in a process of its own the runtime does. */
export function createRequestPermission(
  host: JobHost,
  outside: Outside,
  resolves: boolean,
): (request: PermissionRequest) => Promise<Grant> {
  return async (request) => {
    if (typeof request !== "object" || request === null)
      throw invalid("requestPermission", "must be an object such as { permission, resource, operation }");
    const { permission, resource, operation, reason, leaseSeconds, waitSeconds, args, key } = request;
    const ask = { permission, resource, operation, reason, leaseSeconds, waitSeconds, args, key };
    return resolves
      ? await requestResolved((asked) => outside(() => host.requestPermission(asked)), ask)
      : await outside(() => host.requestPermission(ask));
  };
}

/** A path is asked for as the place it leads to, which is what files are guarded by; the agent is told of what it named. */
export async function requestResolved(
  request: (ask: PermissionAsk) => Promise<Grant>,
  ask: PermissionAsk,
): Promise<Grant> {
  const { permission, resource } = ask;
  const isPath = typeof resource === "string" && resource.startsWith("/") && targetKind(permission) === "path";
  if (!isPath || resource.length > MAX_TARGET_LENGTH || resource.includes("\0")) return await request(ask);
  const { canonical } = await resolvePath(resource);
  return { ...(await request({ ...ask, resource: canonical })), resource };
}

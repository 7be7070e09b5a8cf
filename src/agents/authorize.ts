/** `ctx.authorize`: the guard's answer alone, for agents that bring their own clients. Only a refusal is on the log. */
import type { JobHost } from "../kernel/agents-port.ts";
import { canonicalTarget, MAX_TARGET_LENGTH } from "../kernel/authority/targets.ts";
import type { AgentContext } from "./agent-context.ts";
import { invalid } from "./event-bodies.ts";
import { hideTarget } from "./files/file-error.ts";
import { findPlacesApart } from "./files/places-apart.ts";
import { resolvePath } from "./files/resolve-path.ts";
import type { Operate } from "./operation.ts";

/** @param apart absolute paths of directories that no lease covers. */
export function createAuthorize(
  host: JobHost,
  operate: Operate,
  apart: readonly string[] = [],
): AgentContext["authorize"] {
  return async (namespace, target, what) => {
    if (typeof namespace !== "string" || namespace === "")
      throw invalid("authorize.namespace", "must be a lease namespace");
    if (typeof target !== "string") throw invalid("authorize.target", "must be a string");
    if (what !== undefined && typeof what !== "string") throw invalid("authorize.operation", "must be a string");
    const isPath = namespace === "fs.read" || namespace === "fs.write";
    if (isPath && target.length > MAX_TARGET_LENGTH) {
      throw invalid("authorize.target", `must have at most ${MAX_TARGET_LENGTH} characters`);
    }
    const plain = canonicalTarget(namespace, target);
    const reached = isPath ? (await resolvePath(target)).canonical : plain;
    const places = isPath ? await findPlacesApart(apart) : undefined;
    const operation = { namespace, target: reached, ...(what !== undefined && { operation: what }) };
    const assertNotApart = () => places?.assertNotWithin(reached, namespace, target);
    try {
      const asked = host.guard.check(operation);
      if (asked !== undefined) await asked;
      assertNotApart();
    } catch {
      // Refused again as an operation, which is what puts it on the log.
      await operate(
        {
          operations: [operation],
          tool: "authorize",
          args: { capability: namespace, target: isPath ? target : plain },
          reword: (refusal) => (reached === plain ? refusal : hideTarget(refusal, target)),
        },
        assertNotApart,
      );
    }
  };
}

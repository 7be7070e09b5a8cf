/** `ctx.step`: work whose value is recorded, so that a later attempt does not do it again. */
import type { JobHost } from "../kernel/agents-port.ts";
import { CodedError } from "../protocol/errors.ts";
import type { AgentContext, Step } from "./agent-context.ts";
import type { Outside } from "./emission.ts";
import { invalid } from "./event-bodies.ts";
import { toJsonText } from "./json-text.ts";

const MAX_NAME_LENGTH = 256;
/** The name under which an attempt records that chunks of a result are on the log. No step of an agent is called that. */
export const STREAM_BEGUN = "";

export interface StepParts {
  readonly host: JobHost;
  readonly outside: Outside;
  signal(): AbortSignal;
}

export function createStep({ host, outside, signal }: StepParts): AgentContext["step"] {
  /** Steps of this attempt that are under way or have their value. */
  const taken = new Set<string>();

  return async <Value>(name: string, work: (step: Step) => Value | Promise<Value>) => {
    if (typeof name !== "string" || name === "" || name.length > MAX_NAME_LENGTH) {
      throw invalid("step.name", `must be a string of 1 to ${MAX_NAME_LENGTH} characters`);
    }
    if (typeof work !== "function") throw invalid("step.work", "must be the function to run");
    host.signal.throwIfAborted();
    if (taken.has(name)) {
      throw new CodedError(
        "INVALID_REQUEST",
        `step "${name}" was begun before in this attempt: every step of a job needs a name of its own`,
        {
          details: { field: "step.name", step: name },
        },
      );
    }
    taken.add(name);
    const recorded = host.steps.get(name);
    if (recorded !== undefined) return restore<Value>(recorded);
    try {
      const value = await work({ key: `${host.job.id}/${name}`, signal: signal() });
      const text = toJsonText(value, `the value of step "${name}"`, "INVALID_REQUEST") ?? null;
      await outside(() => host.recordStep(name, text));
      // What a later attempt would get, now as well: a Date that turns into a string does so at the first run.
      return restore<Value>(text);
    } catch (error) {
      taken.delete(name);
      throw error;
    }
  };
}

/** The caller's type is taken at its word: it is the type of what was recorded under this name. */
function restore<Value>(text: string | null): Value {
  return (text === null ? undefined : JSON.parse(text)) as Value;
}

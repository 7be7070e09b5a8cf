/** `defineIsolatedAgent`: an agent whose code the runtime's process never loads. */
import { type AgentDefinition, type AgentSpec, defineAgent } from "../define-agent.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "../standard-schema.ts";

export interface IsolatedAgentSpec<Name extends string, In extends StandardSchema, Out extends StandardSchema>
  extends Omit<AgentSpec<Name, In, Out, unknown>, "run" | "isolate" | "module"> {
  /** The module that exports the agent, by `defineAgent` under this name and version; only its own process loads it. */
  readonly module: string | URL;
}

/**
 * Defines an isolated agent by what may be known of it without its code (§7.5): its schemas, needs and limits are those given
 * here, and what the module says of them counts for nothing. `run` gets the input as it was sent, once `input` has let it through.
 * `output` is given what `run` returned as JSON has it.
 * @throws TypeError that names the field and what would be right.
 */
export function defineIsolatedAgent<
  const Name extends string,
  In extends StandardSchema = StandardSchema,
  Out extends StandardSchema = StandardSchema,
>(spec: IsolatedAgentSpec<Name, In, Out>): AgentDefinition<Name, SchemaInput<In>, SchemaOutput<Out>> {
  const run = (): never => {
    throw new TypeError(`agent ${spec.name} runs in a process of its own`);
  };
  const { isolation, ...definition } = defineAgent({ ...spec, isolate: "process", run } as AgentSpec<
    Name,
    In,
    Out,
    never
  >);
  return Object.freeze({
    ...definition,
    isolation: isolation && { ...isolation, isLoadedHere: false },
  }) as AgentDefinition<Name, SchemaInput<In>, SchemaOutput<Out>>;
}

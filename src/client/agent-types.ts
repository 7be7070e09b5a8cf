/** What `connect<typeof agents>` reads from agent definitions: names, inputs and outputs. Types only. */

/** The part of an agent's definition that a client needs; `defineAgent` makes it. */
interface TypedAgent {
  readonly name: string;
  readonly "~types"?: { readonly input: unknown; readonly output: unknown } | undefined;
}

/** One definition, a list of them, or an object that holds some: `typeof agents` of either, or `typeof import(…)`. */
type DefinitionOf<Agents> = Extract<
  Agents extends TypedAgent ? Agents : Agents extends readonly unknown[] ? Agents[number] : Agents[keyof Agents],
  TypedAgent
>;

type BareName<Reference> = Reference extends `${infer Name}@${string}` ? Name : Reference;
type Named<Agents, Reference> = Extract<DefinitionOf<Agents>, { readonly name: BareName<Reference> }>;
type TypesOf<Definition extends TypedAgent> = NonNullable<Definition["~types"]>;

/** `name` or `name@version` (§7.5); any string where the agents are not known. */
export type AgentReference<Agents> = unknown extends Agents
  ? string
  : DefinitionOf<Agents>["name"] | `${DefinitionOf<Agents>["name"]}@${string}`;

/** What the agent takes. */
export type AgentInput<Agents, Reference> = unknown extends Agents
  ? unknown
  : TypesOf<Named<Agents, Reference>>["input"];

/** What a job of the agent results in. */
export type AgentOutput<Agents, Reference> = unknown extends Agents
  ? unknown
  : TypesOf<Named<Agents, Reference>>["output"];

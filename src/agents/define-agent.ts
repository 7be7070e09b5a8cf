/** `defineAgent`: a named, versioned function that does the work, with the schemas of what goes in and comes out. */
import type { AgentContext } from "./agent-context.ts";
import { type Isolation, type IsolationSpec, isolationOf } from "./isolation/isolation-spec.ts";
import { assertNeeds, type Needs } from "./needs.ts";
import type { StreamedResult } from "./result-stream.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "./standard-schema.ts";

/** What becomes of a job when the runtime dies under it: one retryable error, or another attempt. */
export type Restart = "never" | "always";

export interface AgentSpec<Name extends string, In extends StandardSchema, Out extends StandardSchema, Returned>
  extends IsolationSpec {
  /** Lower-case letters, digits, `.`, `_`, `-`; begins with a letter or digit (§7.5). */
  readonly name: Name;
  /** Letters, digits, `.`, `+`, `_`, `-` (§7.5). */
  readonly version: string;
  /** Any Standard Schema. Without one, whatever JSON a client sends goes in as `unknown`. */
  readonly input?: In;
  /** Any Standard Schema; checks what `run` returned. A streamed result is not checked. */
  readonly output?: Out;
  /** Default: `never`. With `always`, do what must not be done twice in `ctx.step`. */
  readonly restart?: Restart;
  /**
   * What the lease must grant: a submission without it is refused with PERMISSION_DENIED, and told which lease would do.
   * Such as `{ "fs.read": "the directory to report on" }`, or with the patterns that this input needs:
   * `{ "fs.read": { why: "the directory to report on", patterns: ({ path }) => [`${path}/**`] } }`.
   */
  readonly needs?: Needs<SchemaOutput<In>>;
  /**
   * How many jobs of this version may run at a time in one runtime; further ones wait as `pending`. A whole number from
   * 1 on. Default: as many as the runtime runs.
   */
  readonly maxConcurrent?: number;
  /**
   * Does the work. Returns the result, at most 1 MiB of JSON, or streams it with `ctx.streamResult` and returns what
   * `end()` gave, or nothing. Fails by throwing `AgentError`; anything else thrown is INTERNAL_ERROR.
   */
  run(ctx: AgentContext<SchemaOutput<In>>, input: SchemaOutput<In>): Returned | Promise<Returned>;
}

const DEFINITION = Symbol.for("leasehold.agent-definition");

/**
 * An agent, ready to be registered. Frozen. `Input` is what a client sends and `Output` what it receives, so that
 * `connect<typeof agents>` can type a submission.
 */
export interface AgentDefinition<Name extends string = string, Input = unknown, Output = unknown> {
  /** The global symbol tells a definition from other exports, also one made by another copy of this package. */
  readonly [DEFINITION]: true;
  readonly name: Name;
  readonly version: string;
  readonly restart: Restart;
  readonly needs: Needs;
  readonly maxConcurrent: number | undefined;
  /** Undefined for an agent that runs in the runtime's process. */
  readonly isolation: Isolation | undefined;
  readonly input: StandardSchema | undefined;
  readonly output: StandardSchema | undefined;
  run(ctx: AgentContext, input: unknown): unknown;
  /** Carries the types, as in Standard Schema; never has a value. */
  readonly "~types"?: { readonly input: Input; readonly output: Output } | undefined;
}

/** What a client receives of what `run` returns: a streamed result arrives as one text, or as bytes. */
type Received<Returned> =
  Returned extends StreamedResult<infer Encoding> ? (Encoding extends "utf8" ? string : Uint8Array) : Returned;

/** The output schema's output; without a schema, what `run` returns. */
type OutputOf<Out extends StandardSchema, Returned> =
  unknown extends SchemaOutput<Out> ? Received<Returned> : SchemaOutput<Out>;

/** The grammar of §7.5. */
export const AGENT_NAME = /^[a-z0-9][a-z0-9._-]*$/;
export const AGENT_VERSION = /^[a-zA-Z0-9.+_-]+$/;

/**
 * Defines an agent (§7.5).
 * @throws TypeError that names the field and what would be right.
 */
export function defineAgent<
  const Name extends string,
  Returned extends SchemaInput<Out> | StreamedResult,
  In extends StandardSchema = StandardSchema,
  Out extends StandardSchema = StandardSchema,
>(spec: AgentSpec<Name, In, Out, Returned>): AgentDefinition<Name, SchemaInput<In>, OutputOf<Out, Returned>> {
  const { name, version, input, output, restart = "never", needs = {}, maxConcurrent, run } = spec;
  if (typeof name !== "string" || !AGENT_NAME.test(name)) {
    throw new TypeError(
      `agent name ${shown(name)}: use lower-case letters, digits, ".", "_" and "-", beginning with a letter or digit`,
    );
  }
  if (typeof version !== "string" || !AGENT_VERSION.test(version)) {
    throw new TypeError(
      `agent ${name}: version ${shown(version)}: use letters, digits, ".", "+", "_" and "-", such as "1.0.0"`,
    );
  }
  if (typeof run !== "function") {
    throw new TypeError(`agent ${name}: run is ${shown(run)}: it must be a function (ctx, input) => result`);
  }
  if (restart !== "never" && restart !== "always") {
    throw new TypeError(`agent ${name}: restart is ${shown(restart)}: it must be "never" or "always"`);
  }
  if (maxConcurrent !== undefined && !(Number.isInteger(maxConcurrent) && maxConcurrent >= 1)) {
    throw new TypeError(
      `agent ${name}: maxConcurrent is ${String(maxConcurrent)}: it must be a whole number from 1 on`,
    );
  }
  if (input !== undefined) assertSchema(name, "input", input);
  if (output !== undefined) assertSchema(name, "output", output);
  assertNeeds(name, needs);
  const isolation = isolationOf(name, spec);

  const definition: AgentDefinition<Name, SchemaInput<In>, OutputOf<Out, Returned>> = {
    [DEFINITION]: true,
    name,
    version,
    restart,
    // As with `run`: the input has been through the schema.
    needs: Object.freeze({ ...needs }) as Needs,
    maxConcurrent,
    isolation,
    input,
    output,
    // The input has been through the schema by the time this is called; `spec` stays the receiver.
    run: (ctx, checked) => spec.run(ctx as AgentContext<SchemaOutput<In>>, checked as SchemaOutput<In>),
  };
  return Object.freeze(definition);
}

export function isAgentDefinition(value: unknown): value is AgentDefinition {
  return typeof value === "object" && value !== null && DEFINITION in value;
}

function assertSchema(agent: string, field: "input" | "output", schema: StandardSchema): void {
  if (typeof schema?.["~standard"]?.validate !== "function") {
    throw new TypeError(`agent ${agent}: ${field} is not a Standard Schema (zod, valibot, arktype or the like)`);
  }
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : value === null ? "null" : `of type ${typeof value}`;
}

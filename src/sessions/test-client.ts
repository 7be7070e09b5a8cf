/** For tests: a client that speaks ARCP frame by frame and keeps what it receives. */
import { decode } from "../protocol/codec.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { ADVERTISED_FEATURES } from "../protocol/features.ts";
import type { JsonObject } from "../protocol/fields.ts";
import type { Message, MessageOf } from "../protocol/registry.ts";
import type { FakeWorld } from "../testing/fake-world.ts";
import type { MemoryClient } from "../transports/memory.ts";

export type Received = Message<"to-client">;
export type Sequenced = MessageOf<"job.event" | "job.result" | "job.error">;
export type Welcome = MessageOf<"session.welcome">;

export const ALL_FEATURES: readonly string[] = ADVERTISED_FEATURES;

export interface HelloOptions {
  /** A principal's id; null for no token in the payload. Default: `ann`. */
  readonly token?: string | null;
  /** Default: all there are. */
  readonly features?: readonly string[];
  readonly resume?: ResumePoint;
}

export interface ResumePoint {
  readonly session_id: string;
  readonly resume_token: string;
  readonly last_event_seq: number;
}

export function isSequenced(message: Received): message is Sequenced {
  return message.type === "job.event" || message.type === "job.result" || message.type === "job.error";
}

/** What has a place in a session's stream: beside events and ends, what tells of a child (§10). */
export type Placed = Sequenced | (MessageOf<"job.accepted"> & { readonly job_id: string; readonly event_seq: number });

export function isPlaced(message: Received): message is Placed {
  return isSequenced(message) || (message.type === "job.accepted" && message.event_seq !== undefined);
}

/** Not a place of the stream alone, such as `back_pressure`. */
export function isOnLog({ payload }: Sequenced): boolean {
  return payload.job_seq !== undefined;
}

export function ofType<Type extends Received["type"]>(messages: readonly Received[], type: Type): MessageOf<Type>[] {
  return messages.filter((message): message is Extract<Received, MessageOf<Type>> => message.type === type);
}

/** The only message of a type. */
export function theOne<Type extends Received["type"]>(messages: readonly Received[], type: Type): MessageOf<Type> {
  const found = ofType(messages, type);
  const [one] = found;
  if (one === undefined || found.length > 1) {
    const types = messages.map((message) => message.type).join(", ") || "nothing";
    throw new Error(`${found.length} messages of type ${type}; received: ${types}`);
  }
  return one;
}

/** Code and request of every refusal. */
export function refusals(messages: readonly Received[]): [ErrorCode | string, string | undefined][] {
  return ofType(messages, "session.error").map(({ payload }) => [payload.code, payload.request_id]);
}

/** @throws Error for a frame that is none of ARCP. */
export function decoded(text: string): Received {
  const result = decode(text, "to-client");
  if (!result.ok) throw new Error(`the runtime sent a malformed frame: ${result.error.message}: ${text}`);
  return result.message;
}

/** One connection. */
export class TestClient {
  readonly line: MemoryClient;
  readonly #world: FakeWorld;
  #sent = 0;
  /** Frames that `take` returned, as they came. */
  readonly texts: string[] = [];

  constructor(line: MemoryClient, world: FakeWorld) {
    this.line = line;
    this.#world = world;
  }

  /** Sends a message and returns its id. */
  send(type: string, payload: JsonObject = {}, envelope: JsonObject = {}): string {
    const id = `request-${++this.#sent}`;
    this.line.send(JSON.stringify({ arcp: "1.1", id, type, payload, ...envelope }));
    return id;
  }

  hello({ token = "ann", features = ALL_FEATURES, resume }: HelloOptions = {}): string {
    return this.send("session.hello", {
      client: { name: "test", version: "0" },
      ...(token === null ? {} : { auth: { scheme: "bearer", token } }),
      capabilities: { encodings: ["json"], features },
      ...(resume === undefined ? {} : { resume }),
    });
  }

  resume(point: ResumePoint, token = "ann"): string {
    return this.send("session.resume", { ...point, auth: { scheme: "bearer", token } });
  }

  /** Opens a session and returns its welcome, which is taken. */
  async open(options: HelloOptions = {}): Promise<Welcome> {
    this.hello(options);
    return theOne(await this.settled(), "session.welcome");
  }

  /** Submits a job and returns its acceptance; what else came is taken. */
  async submit(agent: string, input?: unknown, more: JsonObject = {}): Promise<MessageOf<"job.accepted">> {
    this.send("job.submit", { agent, ...(input === undefined ? {} : { input }), ...more });
    return theOne(await this.settled(), "job.accepted");
  }

  /** What arrived since the last time. */
  take(): Received[] {
    const texts = this.line.take();
    this.texts.push(...texts);
    return texts.map(decoded);
  }

  /** Lets everything happen that is due, and takes what arrived. */
  async settled(): Promise<Received[]> {
    await this.#world.settle();
    return this.take();
  }

  /** Lets time pass, and takes what arrived. */
  async after(ms: number): Promise<Received[]> {
    await this.#world.advance(ms);
    return this.take();
  }

  /** Cuts the line; what is on its way is lost. */
  async drop(): Promise<void> {
    this.line.drop();
    await this.#world.settle();
  }
}

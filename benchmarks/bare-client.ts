/** The load client's side of the bare server: round trips, and pushed frames checked as a job's stream is. */
import { eventSeqOf } from "./frame-scan.ts";
import { type FrameSocket, openFrameSocket } from "./frame-socket.ts";
import type { MemoryUse } from "./memory-use.ts";
import { callsOf, type Pace } from "./pace.ts";
import { StreamCheck, type StreamTally } from "./stream-check.ts";
import { REPLY_TIMEOUT_MS, STREAM_TIMEOUT_MS, within } from "./within.ts";

export type EchoCommand =
  /** Pushes numbered frames as fast as they are taken: a `ws.send` for each, or many joined into one write. */
  | { do: "push"; from: number; count: number; size: number; write: "each" | "joined" }
  | { do: "pace"; from: number; size: number; pace: Pace }
  | { do: "memory" };

export class BareClient {
  /** Called with every pushed frame, after it was checked. */
  onFrame: ((frame: string) => void) | undefined;

  readonly #stream = new StreamCheck();
  /** Echoes come back in the order of what was sent. */
  readonly #echoes: PromiseWithResolvers<string>[] = [];
  #pushed: { readonly last: number; readonly done: PromiseWithResolvers<void> } | undefined;
  #socket: FrameSocket | undefined;

  private constructor() {}

  static async connect(url: string): Promise<BareClient> {
    const client = new BareClient();
    client.#socket = await openFrameSocket(url, {
      frame: (text) => {
        try {
          client.#receive(text);
        } catch (error) {
          client.#fail(error as Error);
        }
      },
      closed: (code) => client.#fail(new Error(`the bare server closed the connection: ${code}`)),
    });
    return client;
  }

  /** Sends a text and awaits its echo. */
  async roundTrip(text: string): Promise<string> {
    const echo = Promise.withResolvers<string>();
    this.#echoes.push(echo);
    this.#socket?.send(text);
    return await within(echo.promise, REPLY_TIMEOUT_MS, "echo from the bare server");
  }

  /** Has so many frames pushed, and resolves when all have arrived. */
  async push(count: number, size: number, write: "each" | "joined"): Promise<StreamTally> {
    return await this.#pushedBy(
      { do: "push", from: this.#stream.lastEventSeq + 1, count, size: Math.round(size), write },
      count,
    );
  }

  /** Has frames pushed at that pace, each with its sending time, and resolves when all have arrived. */
  async pace(pace: Pace, size: number): Promise<StreamTally> {
    return await this.#pushedBy(
      { do: "pace", from: this.#stream.lastEventSeq + 1, size: Math.round(size), pace },
      callsOf(pace),
    );
  }

  /** The server's memory, after a collection if it was started with `--expose-gc`. */
  async memory(): Promise<MemoryUse> {
    return JSON.parse(await this.roundTrip(command({ do: "memory" }))) as MemoryUse;
  }

  async close(): Promise<void> {
    await this.#socket?.close();
  }

  async #pushedBy(order: EchoCommand, count: number): Promise<StreamTally> {
    const done = Promise.withResolvers<void>();
    this.#pushed = { last: this.#stream.lastEventSeq + count, done };
    this.#stream.take();
    this.#socket?.send(command(order));
    await within(done.promise, STREAM_TIMEOUT_MS, `end of ${count} frames pushed by the bare server`);
    return this.#stream.take();
  }

  #receive(text: string): void {
    const eventSeq = this.#pushed === undefined ? undefined : eventSeqOf(text);
    if (eventSeq === undefined) {
      this.#echoes.shift()?.resolve(text);
      return;
    }
    this.#stream.placed(eventSeq, text.length);
    this.onFrame?.(text);
    if (eventSeq === this.#pushed?.last) {
      this.#pushed.done.resolve();
      this.#pushed = undefined;
    }
  }

  #fail(error: Error): void {
    for (const echo of this.#echoes) echo.reject(error);
    this.#pushed?.done.reject(error);
    this.#echoes.length = 0;
  }
}

function command(order: EchoCommand): string {
  return `!${JSON.stringify(order)}`;
}

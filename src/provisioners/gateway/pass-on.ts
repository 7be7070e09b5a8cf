/**
 * The upstream's answer on its way to the client, at the client's pace. What ends an answer is held back until its cost is
 * on the disk: whoever has a whole answer has paid for it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Price } from "../../agents/prices.ts";
import type { Call } from "./call-body.ts";
import { EventSplitter, readEvent } from "./event-stream.ts";
import type { Reservation } from "./keys.ts";
import { GatewayError } from "./openai-error.ts";
import { costOf } from "./reported-usage.ts";
import { UsageScan } from "./usage-scan.ts";

export interface Passage {
  readonly answer: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: Call;
  readonly price: Price;
  readonly reservation: Reservation;
  /** Something moved. */
  touch(): void;
  /** The answer is over, and what is left of it must come soon. */
  hurry(): void;
  /** Takes the gateway's own key out of what the upstream says. */
  clean(text: string): string;
}

/** Of one answer. What is longer is cut off. */
const MAX_ANSWER_BYTES = 268_435_456;
/** Of an error. */
const MAX_ERROR_BYTES = 65_536;
/** What the upstream says besides its answer that the client may know. */
const PASSED_HEADERS = [
  "content-type",
  "content-encoding",
  "retry-after",
  "x-request-id",
  "openai-processing-ms",
] as const;
/** Somebody gave up while the call was under way: what it cost is not known. */
const UNKNOWN_OUTCOME: readonly number[] = [408, 504, 524];
/** The gateway's own key was refused. */
const OWN_FAULT: readonly number[] = [401, 403];

/** Resolves once the answer is at the client, and its cost on the disk. @throws Error when it breaks off. */
export async function passOn(passage: Passage): Promise<void> {
  const status = passage.answer.statusCode ?? 0;
  if (status < 200 || status >= 300) await passError(passage, status);
  else if (/^text\/event-stream\b/i.test(passage.answer.headers["content-type"] ?? "")) await passStream(passage);
  else await passWhole(passage);
}

async function passStream({ answer, response, call, price, reservation, touch, hurry }: Passage): Promise<void> {
  const splitter = new EventSplitter();
  const told: unknown[] = [];
  let known = false;
  let over = false;
  response.writeHead(answer.statusCode ?? 200, { ...headersOf(answer), "cache-control": "no-cache" });
  response.flushHeaders();
  try {
    for await (const chunk of bounded(answer)) {
      touch();
      if (over) continue;
      for (const event of splitter.push(chunk)) {
        const { usage, usageOnly, last } = readEvent(event);
        if (usage !== undefined) told.push(usage);
        known ||= usageOnly && usage !== undefined;
        if (last) {
          over = true;
          hurry();
          await reservation.settle(costOf(price, call, told));
          response.end(event);
          break;
        }
        if (usageOnly && usage !== undefined && !call.showsUsage) continue;
        await write(response, event);
      }
    }
    if (over) return;
    const rest = splitter.rest();
    const { usage } = readEvent(rest);
    if (usage !== undefined) told.push(usage);
    await reservation.settle(costOf(price, call, told));
    response.end(rest);
  } catch (error) {
    // What it cost so far is not told, unless it had come to that.
    const cost = costOf(price, call, told);
    await reservation.settle(known || cost > reservation.amount ? cost : reservation.amount);
    throw error;
  }
}

async function passWhole({ answer, response, call, price, reservation, touch }: Passage): Promise<void> {
  const scan = new UsageScan();
  let held: Buffer | undefined;
  const begin = (): void => {
    const { "content-length": length } = answer.headers;
    if (response.headersSent) return;
    response.writeHead(answer.statusCode ?? 200, { ...headersOf(answer), ...(length && { "content-length": length }) });
  };
  for await (const chunk of bounded(answer)) {
    touch();
    scan.push(chunk);
    if (held !== undefined) {
      begin();
      await write(response, held);
    }
    held = chunk;
  }
  await reservation.settle(costOf(price, call, scan.found));
  begin();
  response.end(held);
}

/** Costs nothing, unless it says otherwise, or nobody can know. */
async function passError(
  { answer, response, call, price, reservation, clean }: Passage,
  status: number,
): Promise<void> {
  const scan = new UsageScan();
  let text = "";
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    scan.push(chunk);
    text += chunk.toString("latin1");
    if (text.length > MAX_ERROR_BYTES) break;
  }
  const free = scan.found.length === 0 && !UNKNOWN_OUTCOME.includes(status);
  await reservation.settle(free ? 0n : costOf(price, call, scan.found));
  if (OWN_FAULT.includes(status)) {
    throw new GatewayError(
      502,
      "upstream_refused",
      "the upstream does not accept the gateway: its operator has to see to it",
      {
        type: "server_error",
      },
    );
  }
  if (status < 400) {
    throw new GatewayError(502, "upstream_failed", `the upstream answered with ${status}`, { type: "server_error" });
  }
  response.writeHead(status, headersOf(answer));
  response.end(Buffer.from(clean(text.slice(0, MAX_ERROR_BYTES)), "latin1"));
}

/** @throws RangeError for an answer that is too long. */
async function* bounded(answer: IncomingMessage): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new RangeError(`the upstream's answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    yield chunk;
  }
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    PASSED_HEADERS.flatMap((name) => (typeof headers[name] === "string" ? [[name, headers[name]]] : [])),
  );
}

/** Resolves when there is room for more, or nobody to read it. */
async function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  if (bytes.length === 0 || response.write(bytes) || response.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

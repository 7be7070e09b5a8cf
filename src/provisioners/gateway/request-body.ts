/** The body of a request, read whole, within bounds: of its own, and of all bodies that are held at once. */
import type { IncomingMessage } from "node:http";
import { GatewayError, invalidRequest, tryLater } from "./openai-error.ts";

/** Of all bodies under way together. Beyond, calls are answered with 503. */
const MAX_HELD_BYTES = 268_435_456;

export interface BodyReader {
  /**
   * @param most bytes; one more is answered with 413.
   * @throws GatewayError 413, 415 or 503; Error when the request is cut off.
   */
  read(request: IncomingMessage, most: number): Promise<Buffer>;
}

export function createBodyReader(mostHeld: number = MAX_HELD_BYTES): BodyReader {
  let held = 0;
  return {
    async read(request, most) {
      if (!/^(identity)?$/i.test(request.headers["content-encoding"] ?? "")) {
        throw new GatewayError(415, "unsupported_encoding", "the body must not be compressed");
      }
      if (Number(request.headers["content-length"]) > most) throw tooLarge(most);
      const chunks: Buffer[] = [];
      let size = 0;
      try {
        // What follows a refusal is not read: the connection closes behind the answer.
        for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
          size += chunk.length;
          held += chunk.length;
          if (size > most) throw tooLarge(most);
          if (held > mostHeld) throw tryLater(503, "overloaded", "the gateway holds too many requests: try again");
          chunks.push(chunk);
        }
      } finally {
        held -= size;
      }
      return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    },
  };
}

/** @throws GatewayError 400. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw invalidRequest(null, "the body is not JSON");
  }
}

function tooLarge(most: number): GatewayError {
  return new GatewayError(413, "request_too_large", `the body must have at most ${most} bytes`, {
    headers: { connection: "close" },
  });
}

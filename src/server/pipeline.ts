/**
 * Requests sent on one connection without waiting for answers (RFC 9112 §9.3.2) are answered one after the other, and
 * everyone else has a turn in between: Node hands over all that one read brought at once, which may be a thousand.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Timers } from "../platform/world.ts";

/** Requests that may wait behind the one being answered. One more, and the connection is closed. */
export const MAX_PIPELINED = 32;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Has `answer` deal with one request of a connection at a time. */
export function oneAtATime(timers: Timers, answer: Answer): Answer {
  /** What waits, by the connection that has a request under way. */
  const waiting = new WeakMap<Socket, (() => void)[]>();

  return (request, response) => {
    // HTTP/2, on a server of somebody's, has bounds of its own, and its answers need no order.
    if (request.httpVersionMajor > 1) return answer(request, response);
    const { socket } = request;
    const begin = (): void => {
      response.once("close", () => {
        const next = waiting.get(socket)?.shift();
        if (next === undefined || socket.destroyed) waiting.delete(socket);
        else timers.soon(next);
      });
      answer(request, response);
    };
    const queue = waiting.get(socket);
    if (queue === undefined) {
      waiting.set(socket, []);
      begin();
    } else if (queue.length < MAX_PIPELINED) queue.push(begin);
    else socket.destroy();
  };
}

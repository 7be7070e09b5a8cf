/**
 * One call of a model: checked, its worst case set aside on the disk, sent, passed back, its cost on the disk. Whatever
 * happens between the two costs what was set aside, unless it is known to have cost less.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { formatAmount } from "../../kernel/authority/decimal.ts";
import { StoreError } from "../../kernel/store-error.ts";
import type { Log } from "../../platform/log.ts";
import type { World } from "../../platform/world.ts";
import { type CallSettings, readCall } from "./call-body.ts";
import type { Endpoint } from "./endpoints.ts";
import { type GatewayKey, type Keys, MAX_KEY_CALLS, type Reservation } from "./keys.ts";
import type { Models } from "./models.ts";
import { GatewayError, tryLater } from "./openai-error.ts";
import { passOn } from "./pass-on.ts";
import { mostOf } from "./reported-usage.ts";
import type { BodyReader } from "./request-body.ts";
import { watchForStall } from "./stall-watch.ts";
import type { Sent, Upstream } from "./upstream.ts";

export interface CallEnvironment {
  readonly keys: Keys;
  readonly models: Models;
  readonly upstream: Upstream;
  readonly settings: CallSettings;
  readonly bodies: BodyReader;
  readonly world: World;
  readonly log: Log;
  /** Takes the gateway's own key out of a text. */
  clean(text: string): string;
}

/** Of a call. */
const MAX_BODY_BYTES = 16_777_216;
/** Calls under way at once, of all keys together. */
const MAX_CALLS = 1_024;
/** A call in which nothing moves, either way, for so long is given up; so is one that takes so long in all. */
const IDLE_MS = 600_000;
const TOTAL_MS = 3_600_000;
/** For what an upstream sends behind the end of its answer. */
const AFTER_END_MS = 5_000;
/** What is passed on of a client's headers. */
const PASSED_HEADERS = ["traceparent", "tracestate"] as const;

export interface Calls {
  readonly underWay: number;
  /** @throws GatewayError with the refusal; Error when the call broke off. */
  answer(endpoint: Endpoint, key: GatewayKey, request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Gives up all that are under way. */
  endAll(): void;
}

export function createCalls(environment: CallEnvironment): Calls {
  const { keys, models, upstream, settings, bodies, world, log, clean } = environment;
  const underWay = new Set<(reason: Error) => void>();

  /** Tells the operator where the worst case was not the worst: a cap can be exceeded by that much. */
  function watched({ amount, settle }: Reservation, fields: object): Reservation {
    return {
      amount,
      settle(cost) {
        if (cost > amount)
          log.warn({ ...fields, cost: formatAmount(cost) }, "a call cost more than was set aside for it");
        return settle(cost);
      },
    };
  }

  return {
    get underWay() {
      return underWay.size;
    },
    endAll() {
      for (const end of [...underWay]) end(new Error("the gateway is stopping"));
    },
    async answer(endpoint, key, request, response) {
      if (underWay.size >= MAX_CALLS) throw tryLater(503, "overloaded", `all ${MAX_CALLS} calls are taken: try again`);
      if (key.calls.size >= MAX_KEY_CALLS) {
        throw tryLater(429, "too_many_calls", `this key has ${MAX_KEY_CALLS} calls under way: wait for one`);
      }
      let sent: Sent | undefined;
      let ended: Error | undefined;
      const giveUp = (reason: Error): void => {
        ended ??= reason;
        sent?.abort(reason);
      };
      const end = (reason: Error): void => {
        giveUp(reason);
        // An answer that is whole may still be on its way to a slow client.
        if (!response.writableEnded) response.destroy();
      };
      const revoke = (): void => end(new Error("the key was revoked"));
      const watch = watchForStall(world, { idleMs: IDLE_MS, totalMs: TOTAL_MS }, end);
      const onClose = (): void => {
        if (!response.writableFinished) giveUp(new Error("the client went away"));
      };
      response.once("close", onClose);
      underWay.add(end);
      key.calls.add(revoke);
      try {
        const call = readCall(endpoint, await bodies.read(request, MAX_BODY_BYTES), settings);
        const price = models.priceFor(key, call.model);
        const reservation = watched(await keys.reserve(key, mostOf(price, call)), {
          id: key.row.id,
          model: call.model,
        });
        try {
          // Asked again in the turn that sends: committing took a while.
          keys.assertLive(key);
          if (ended !== undefined) throw ended;
        } catch (error) {
          await reservation.settle(0n);
          throw error;
        }
        watch.touch();
        try {
          sent = upstream.send(endpoint.path, call.body, passedHeaders(request));
          const answer = await sent.answer.catch(async (error: Error) => {
            // Without a connection nothing was asked for.
            if (!sent?.left) await reservation.settle(0n);
            throw error;
          });
          const { touch } = watch;
          const hurry = (): void => watch.shorten(AFTER_END_MS);
          await passOn({ answer, response, call, price, reservation, touch, hurry, clean });
        } finally {
          await reservation.settle(reservation.amount);
        }
      } catch (error) {
        const isOurs = error instanceof GatewayError || error instanceof StoreError;
        if (isOurs || ended !== undefined || sent === undefined) throw error;
        log.warn({ err: error, key: key.row.id }, "a call of the upstream failed");
        throw new GatewayError(502, "upstream_failed", "the upstream cannot be reached, or broke off", {
          type: "server_error",
        });
      } finally {
        watch.stop();
        underWay.delete(end);
        key.calls.delete(revoke);
      }
    },
  };
}

function passedHeaders({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    PASSED_HEADERS.flatMap((name) => (typeof headers[name] === "string" ? [[name, headers[name]]] : [])),
  );
}

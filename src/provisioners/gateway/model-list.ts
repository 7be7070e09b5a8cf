/** `/v1/models`: what the upstream has, as far as the key may call it. The upstream is asked once a minute at most. */
import type { Timers, World } from "../../platform/world.ts";
import type { GatewayKey } from "./keys.ts";
import type { Models } from "./models.ts";
import { GatewayError } from "./openai-error.ts";
import type { Upstream } from "./upstream.ts";

const KEPT_MS = 60_000;
const PATIENCE_MS = 30_000;
const MAX_LIST_BYTES = 4_194_304;

interface ListedModel {
  readonly id: string;
}

export interface ModelList {
  /** @throws GatewayError 502 when the upstream does not tell. */
  of(key: GatewayKey): Promise<readonly ListedModel[]>;
}

export function createModelList(upstream: Upstream, models: Models, { clock, timers }: World): ModelList {
  let asked: Promise<readonly ListedModel[]> | undefined;
  let askedAt = 0;
  return {
    async of(key) {
      if (asked === undefined || clock.now() - askedAt >= KEPT_MS) {
        askedAt = clock.now();
        asked = ask(upstream, timers);
        // A failure is not kept.
        asked.catch(() => {
          asked = undefined;
        });
      }
      return (await asked).filter(({ id }) => models.has(key, id));
    },
  };
}

async function ask(upstream: Upstream, timers: Timers): Promise<readonly ListedModel[]> {
  const sent = upstream.send("/models", undefined, {});
  const timer = timers.after(PATIENCE_MS, () => sent.abort(new Error("it took too long")));
  try {
    const answer = await sent.answer;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_LIST_BYTES) throw new RangeError("the list is too long");
      chunks.push(chunk);
    }
    const { data } = JSON.parse(Buffer.concat(chunks).toString()) as { data?: unknown };
    if (answer.statusCode !== 200 || !Array.isArray(data)) throw new Error("it is no list");
    return data.filter((entry): entry is ListedModel => typeof (entry as ListedModel | null)?.id === "string");
  } catch {
    throw new GatewayError(502, "upstream_failed", "the upstream does not say which models it has", {
      type: "server_error",
    });
  } finally {
    timer.cancel();
  }
}

/**
 * `planner`: has the texts of a folder digested by three `worker`s at once, out of one purse. Each worker is a job of its own,
 * with a lease for its texts alone and a third of the money, set aside from the planner's. Who cannot pay for the next text
 * ends with BUDGET_EXHAUSTED and hands on what is done; what nobody spent comes back, and pays for what was left.
 *
 *     leasehold dev agents.ts --run planner --input '{"folder":"/texts"}' \
 *       --lease 'fs.read=/texts/**' --lease agent.delegate=worker --lease tool.call=digest --budget USD:0.70
 */
import { join } from "node:path";
import { type AgentContext, AgentError, defineAgent } from "leasehold";
import * as v from "valibot";
import { digestOf, wordsOf } from "./digest.ts";

const WORKERS = 3;
/** Thousandths of a USD that a word costs. Money is counted in whole ones, and never rounded. */
const PRICE_OF_WORD = 1;

const Digests = v.record(v.string(), v.string());
type Digests = v.InferOutput<typeof Digests>;

/** How a worker ends whose money is used up: with what it has done, and what not. */
const Unfinished = v.object({
  code: v.literal("BUDGET_EXHAUSTED"),
  details: v.looseObject({ done: Digests, left: v.array(v.string()) }),
});

export const worker = defineAgent({
  name: "worker",
  version: "1.0.0",
  restart: "always",
  input: v.strictObject({ texts: v.array(v.string()) }),
  needs: {
    "fs.read": { why: "its texts", patterns: ({ texts }) => texts },
    "tool.call": { why: "to digest them", patterns: ["digest"] },
    "cost.budget": "0.001 for each word",
  },
  async run(ctx, { texts }) {
    const done: Digests = {};
    for (const [index, path] of texts.entries()) {
      try {
        const text = await ctx.fs.readText(path);
        const price = { USD: inUsd(wordsOf(text).length * PRICE_OF_WORD) };
        // Set aside before the work begins: what cannot be paid for is not begun. By its key a later attempt finds this
        // reservation, so that no text is paid for twice.
        await using payment = await ctx.budget.reserve(price, { key: path });
        done[path] = await ctx.step(path, () => ctx.tool("digest", { path }, () => digestOf(text)));
        await payment.commit(price, { name: "cost.digest" });
      } catch (error) {
        throw isExhausted(error) ? unfinished(error, done, texts.slice(index)) : error;
      }
      await ctx.progress({ current: index + 1, total: texts.length, units: "texts" });
    }
    return done;
  },
});

export const planner = defineAgent({
  name: "planner",
  version: "1.0.0",
  restart: "always",
  input: v.strictObject({ folder: v.pipe(v.string(), v.startsWith("/")) }),
  needs: {
    "fs.read": { why: "the texts", patterns: ({ folder }) => [`${folder}/**`] },
    "agent.delegate": { why: "workers digest them", patterns: ["worker"] },
    "tool.call": { why: "what workers digest with", patterns: ["digest"] },
    "cost.budget": { why: "0.001 for each word", patterns: ["USD:1.00"] },
  },
  async run(ctx, { folder }) {
    // A plan is a step: every attempt of this job goes by the same one, and finds the workers of the one before by their keys.
    const plan = await ctx.step("plan", async () => {
      const entries = await ctx.fs.list(folder);
      const texts = entries.filter(({ type }) => type === "file").map(({ name }) => join(folder, name));
      const perWorker = Math.ceil(texts.length / WORKERS);
      const shares = Array.from({ length: WORKERS }, (_, index) =>
        texts.slice(index * perWorker, (index + 1) * perWorker),
      );
      return { shares: shares.filter((share) => share.length > 0), money: inUsd(Math.floor(available(ctx) / WORKERS)) };
    });
    await ctx.log(`${plan.shares.length} workers, ${plan.money} USD each`);
    const outcomes = await Promise.all(
      plan.shares.map((texts, index) => work(ctx, `worker ${index + 1}`, texts, plan.money)),
    );

    const left = outcomes.flatMap((outcome) => outcome.left);
    let last: Outcome = { done: {}, left };
    if (left.length > 0) {
      // The others gave back what they did not spend. How much that is, is a step, too: once it is set aside it is less.
      const money = await ctx.step("what is left", () => inUsd(available(ctx)));
      await ctx.log("warn", `${left.length} of the texts are left to do, with ${money} USD`);
      last = await work(ctx, "last worker", left, money);
    }
    const digests: Digests = Object.assign({}, ...outcomes.map(({ done }) => done), last.done);
    return { digests, undone: last.left };
  },
});

interface Outcome {
  readonly done: Digests;
  readonly left: readonly string[];
}

/** Delegates some texts, and waits. A worker that ran out of money has done a part of them. */
async function work(ctx: AgentContext, key: string, texts: readonly string[], money: string): Promise<Outcome> {
  const child = await ctx.delegate(
    worker,
    { texts: [...texts] },
    { key, lease: { "fs.read": texts, "tool.call": ["digest"] }, budget: { USD: money } },
  );
  try {
    return { done: await child.result(), left: [] };
  } catch (error) {
    const failure = v.safeParse(Unfinished, error);
    if (!failure.success) throw error;
    return failure.output.details;
  }
}

function unfinished(cause: Error, done: Digests, left: readonly string[]): AgentError {
  return new AgentError({ code: "BUDGET_EXHAUSTED", message: cause.message, details: { done, left }, cause });
}

function isExhausted(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "BUDGET_EXHAUSTED";
}

/** What nobody has been promised yet, in thousandths of a USD. */
function available({ budget }: AgentContext): number {
  const [whole = "0", fraction = ""] = (budget.available("USD") ?? "0").split(".");
  return Number(whole + fraction.slice(0, 3).padEnd(3, "0"));
}

function inUsd(thousandths: number): string {
  return (thousandths / 1000).toFixed(3);
}

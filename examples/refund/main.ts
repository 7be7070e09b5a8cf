/**
 * What a job asks a person for, decided here in the terminal; and a grant that is taken back while the job still uses it:
 * `npm run example refund`.
 */
import { createInterface } from "node:readline/promises";
import { createRuntime } from "leasehold";
import { connect } from "leasehold/client";
import { createMemoryStore } from "leasehold/testing";
import { refund, refundBatch } from "./agents.ts";

const ORDERS = Array.from({ length: 40 }, (_, index) => `B-${index + 1}`);
const PAUSE_MS = 50;
/** After so many refunds somebody has seen enough. */
const ENOUGH = 3;

const runtime = await createRuntime({
  agents: [refund, refundBatch],
  store: createMemoryStore(),
  authenticator: { authenticate: async () => ({ id: "desk", tenant: "shop", roles: ["user"] }) },
});
const { url } = await runtime.listen({ port: 0 });
const session = await connect(url, {});
try {
  const requests = session.permissions.requests();

  const order = { order: "A-17", amount: "120.00" };
  const job = await session.submit("refund", order, { lease: { "tool.call": ["look-up"] } });
  const { value: asked } = await requests.next();
  if (asked === undefined) throw new Error("the job asked for nothing");
  const [listed] = (await session.permissions.list({ state: "pending" })).permissions;
  const what = `${asked.operation} ${asked.resource} with ${JSON.stringify(listed?.args)}`;
  if ((await ask(`may ${listed?.agent} ${what}? (y/n)`)) === "y") {
    const { expiresAt } = await session.permissions.grant(asked.id, { leaseSeconds: 60 });
    console.log("granted for", Math.round((Date.parse(expiresAt) - Date.now()) / 1000), "seconds");
  } else await session.permissions.deny(asked.id, { reason: "nobody said yes" });
  console.log(await job.result().catch(({ code, message }) => `${code}: ${message}`));

  const batch = await session.submit("refund-batch", { orders: ORDERS, amount: "8.50", pauseMs: PAUSE_MS });
  const { value: many } = await requests.next();
  if (many === undefined) throw new Error("the job asked for nothing");
  console.log(`\n${many.reason}: granted`);
  const { leaseId } = await session.permissions.grant(many.id);
  let refunded = 0;
  for await (const { kind, body } of batch.events()) {
    if (kind === "tool_result" && body.error === undefined && ++refunded === ENOUGH) {
      await session.permissions.revoke(leaseId, { reason: "the recall was called off" });
      console.log(`taken back after ${ENOUGH} refunds`);
    }
    if (kind === "log") console.log(`${body.level}: ${body.message.replace(/^\S+/, "the next order")}`);
  }
  const { done, left } = (await batch.result()) as { done: readonly string[]; left: readonly string[] };
  console.log(done.length >= ENOUGH && left.length > 0 ? "some are done, the others are left" : { done, left });
} finally {
  await session.close();
  await runtime.close();
}

/** One line of the terminal; none where nobody is there. */
async function ask(question: string): Promise<string> {
  console.log(question);
  const terminal = createInterface({ input: process.stdin });
  try {
    for await (const line of terminal) return line.trim();
    return "";
  } finally {
    terminal.close();
  }
}

/** What an MCP server does for an agent, and what the lease keeps from it: `npm run example mcp-under-lease`. */
import { createRuntime } from "leasehold";
import { createMemoryStore } from "leasehold/testing";
import { notes } from "./agent.ts";

const runtime = await createRuntime({ agents: [notes], store: createMemoryStore() });
try {
  const lease = { "tool.call": ["notes/list_notes", "notes/read_*"] };
  const job = await runtime.submit("notes", { read: ["monday"], delete: ["monday"] }, { lease });
  console.log(`${job.agent} may call ${lease["tool.call"].join(", ")}`);
  for await (const { kind, body } of job.events()) {
    if (kind === "log") console.log(body.message);
    if (kind === "tool_call") console.log("call  ", body.tool, body.args);
    if (kind === "tool_result") console.log("result", Object(body.error).code ?? body.result);
  }
  console.log(await job.result().catch(({ message }) => message));
} finally {
  await runtime.close();
}

/** `GET /api/agents`: what can be submitted to (§7.5). */
import Type from "typebox";
import type { App, RouteContext } from "../route.ts";

const Agent = Type.Object({
  name: Type.String(),
  versions: Type.Array(Type.String()),
  default: Type.String({ description: "the version a submission without one gets" }),
});

export function addAgents(app: App, { kernel }: RouteContext): void {
  const schema = {
    operationId: "listAgents",
    summary: "Agents and versions that can be submitted to",
    response: { 200: Type.Object({ agents: Type.Array(Agent) }) },
  };
  app.get("/api/agents", { schema }, async () => ({
    agents: kernel.listAgents().map((agent) => ({ ...agent, versions: [...agent.versions] })),
  }));
}

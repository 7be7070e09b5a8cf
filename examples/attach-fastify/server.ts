/**
 * A Fastify application that also serves agents: sessions on `/arcp`, jobs on `/api`, and its own routes as before.
 *
 *     leasehold token create me
 *     node server.ts
 *     leasehold submit greeter '"Ada"' --url ws://127.0.0.1:3000/arcp --token …
 */
import { fastify } from "fastify";
import { createRuntime, defineAgent } from "leasehold";

const greeter = defineAgent({
  name: "greeter",
  version: "1.0.0",
  run: async (_ctx, name) => `Hello, ${name}!`,
});

const app = fastify();
app.get("/", async () => "A page of Fastify.\n");

const runtime = await createRuntime({ agents: [greeter] });
runtime.attach(app.server);
// Fastify closes when all its connections have: ours are closed first.
app.addHook("preClose", () => runtime.close({ drainMs: 10_000 }));

await app.listen({ port: Number(process.env.PORT ?? 3000), host: "127.0.0.1" });
console.log("listening", app.server.address());

process.once("SIGTERM", () => app.close());

/**
 * A Hono application that also serves agents: sessions on `/arcp`, jobs on `/api`, and its own routes as before.
 *
 *     leasehold token create me
 *     node server.ts
 *     leasehold submit greeter '"Ada"' --url ws://127.0.0.1:3000/arcp --token …
 */
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { createRuntime, defineAgent } from "leasehold";

const greeter = defineAgent({
  name: "greeter",
  version: "1.0.0",
  run: async (_ctx, name) => `Hello, ${name}!`,
});

const app = new Hono();
app.get("/", (context) => context.text("A page of Hono.\n"));

// Its type allows for HTTP/2, which is to be asked for: this one is a server of `node:http`.
const server = createAdaptorServer({ fetch: app.fetch }) as Server;
const runtime = await createRuntime({ agents: [greeter] });
runtime.attach(server);

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log("listening", server.address());
});

process.once("SIGTERM", async () => {
  server.close();
  await runtime.close({ drainMs: 10_000 });
});

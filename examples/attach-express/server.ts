/**
 * An Express application that also serves agents: sessions on `/arcp`, jobs on `/api`, and its own routes as before.
 *
 *     leasehold token create me
 *     node server.ts
 *     leasehold submit greeter '"Ada"' --url ws://127.0.0.1:3000/arcp --token …
 */
import { createServer } from "node:http";
import express from "express";
import { createRuntime, defineAgent } from "leasehold";

const greeter = defineAgent({
  name: "greeter",
  version: "1.0.0",
  run: async (_ctx, name) => `Hello, ${name}!`,
});

const app = express();
app.get("/", (_request, response) => {
  response.send("A page of Express.\n");
});

// `app.listen` would do as well: it returns the server. Attaching first leaves no moment without agents.
const server = createServer(app);
const runtime = await createRuntime({ agents: [greeter] });
runtime.attach(server);

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log("listening", server.address());
});

process.once("SIGTERM", async () => {
  server.close();
  await runtime.close({ drainMs: 10_000 });
});

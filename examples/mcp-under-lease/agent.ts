/**
 * `notes`: uses the tools of an MCP server, which it starts, as far as its lease allows.
 *
 *     leasehold dev agent.ts
 *     leasehold submit notes '{"read":["monday"],"delete":[]}' --lease 'tool.call=notes/list_notes' --lease 'tool.call=notes/read_*'
 */
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { defineAgent } from "leasehold";
import { z } from "zod";

const SERVER = fileURLToPath(import.meta.resolve("./server.ts"));

export const notes = defineAgent({
  name: "notes",
  version: "1.0.0",
  input: z.object({ read: z.array(z.string()), delete: z.array(z.string()) }),
  needs: { "tool.call": { why: "the tools of the server `notes`", patterns: ["notes/*"] } },
  async run(ctx, input) {
    const client = new Client({ name: "notes-agent", version: "1.0.0" });
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [SERVER] }));
    try {
      const server = ctx.mcp(client, { name: "notes" });
      const { tools } = await server.listTools();
      await ctx.log(`may use ${tools.map(({ name }) => name).join(", ")}`);

      const texts: string[] = [];
      for (const day of input.read) {
        const { content } = await server.callTool({ name: "read_note", arguments: { day } });
        texts.push(
          ...z
            .array(z.object({ text: z.string() }))
            .parse(content)
            .map(({ text }) => text),
        );
      }
      // Where the lease does not allow it, this throws, and nothing has reached the server.
      for (const day of input.delete) await server.callTool({ name: "delete_note", arguments: { day } });
      return texts;
    } finally {
      await client.close();
    }
  },
});

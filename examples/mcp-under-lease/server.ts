/** A server of the Model Context Protocol over its standard input and output: notes, in memory, that can be read and deleted. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

const notes = new Map([
  ["monday", "water the orchids"],
  ["tuesday", "renew the lease"],
]);
const day = z.object({ day: z.string() });
const text = (text: string) => ({ content: [{ type: "text" as const, text }] });

const server = new McpServer({ name: "notes", version: "1.0.0" });
server.registerTool("list_notes", { description: "Names all notes." }, () => text([...notes.keys()].join("\n")));
server.registerTool("read_note", { description: "Reads a note.", inputSchema: day }, ({ day }, { _meta }) => {
  // What a client sends along in `_meta.traceparent` puts this call into its trace.
  console.error(`read_note ${day} ${_meta?.traceparent}`);
  const note = notes.get(day);
  return note === undefined ? { ...text(`no note for ${day}`), isError: true } : text(note);
});
server.registerTool("delete_note", { description: "Deletes a note.", inputSchema: day }, ({ day }) => {
  console.error(`delete_note ${day}`);
  return text(notes.delete(day) ? "deleted" : "there was none");
});
await server.connect(new StdioServerTransport());

import { describe, expect, test } from "vitest";
import { startServer } from "./child-server.ts";

const script = (code: string) => ({ name: "the script", args: ["-e", code], cwd: process.cwd() });
const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("startServer", () => {
  test("reads the URL from the first line, and ends the process when disposed of", async () => {
    const server = await startServer(
      script(`console.log('{"url":"ws://127.0.0.1:1/x"}'); setInterval(() => {}, 1000)`),
    );
    expect(server.url).toBe("ws://127.0.0.1:1/x");
    expect(alive(server.pid)).toBe(true);
    await server[Symbol.asyncDispose]();
    expect(alive(server.pid)).toBe(false);
  });

  test("tells what a process that ended instead wrote to stderr", async () => {
    await expect(startServer(script("console.error('no such port'); process.exit(3)"))).rejects.toThrow(
      /the script ended with 3; its stderr: no such port/,
    );
  });

  test("refuses a first line without a URL", async () => {
    await expect(startServer(script("console.log('{}'); setInterval(() => {}, 1000)"))).rejects.toThrow(/has no url/);
  });
});

/** In processes of their own: what ends them is what is tested. */
import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

const guardModule = JSON.stringify(new URL("./process-guard.ts", import.meta.url).href);
const logModule = JSON.stringify(new URL("../platform/log.ts", import.meta.url).href);

function runScript(script: string): { readonly status: number | null; readonly stdout: string } {
  const prelude = `
    import { guardProcess } from ${guardModule};
    import { silentLog } from ${logModule};
  `;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", prelude + script], { encoding: "utf8" });
}

const AFTERWARDS = `setTimeout(() => console.log("still here"), 50);`;

it("ends the process on a failure outside any agent, however many runtimes guard it", () => {
  for (const guards of [1, 2]) {
    const { status, stdout } = runScript(`
      for (let guard = 0; guard < ${guards}; guard++) guardProcess(silentLog);
      setImmediate(() => { throw new Error("nobody's"); });
      ${AFTERWARDS}
    `);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  }
});

it("leaves the decision to another listener, or to whoever asked for it", () => {
  const listened = runScript(`
    guardProcess(silentLog);
    process.on("uncaughtException", (error) => console.log("heard", error.message));
    setImmediate(() => { throw new Error("it"); });
    ${AFTERWARDS}
  `);
  expect(listened).toMatchObject({ status: 0, stdout: "heard it\nstill here\n" });
  const asked = runScript(`
    guardProcess(silentLog, (error) => console.log("asked about", error.message));
    Promise.reject(new Error("it"));
    ${AFTERWARDS}
  `);
  expect(asked).toMatchObject({ status: 0, stdout: "asked about it\nstill here\n" });
});

it("is off once it was taken off", () => {
  const { status } = runScript(`
    guardProcess(silentLog, () => process.exit(9))();
    setImmediate(() => { throw new Error("nobody's"); });
  `);
  expect(status).toBe(1);
});

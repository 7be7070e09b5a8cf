/** What runs in the browser's page: takes the stage it is handed, and tells how each scenario went. */
import { SCENARIOS, type Stage } from "./scenarios.ts";

/** Functions of the stage, which the test puts into the page; the rest is passed along. */
type Handed = Pick<Stage, "cut" | "setReachable" | "restart">;

/** What went wrong, in words; undefined when nothing did. */
async function runScenario(name: string, where: Pick<Stage, "url" | "token">): Promise<string | undefined> {
  const { cut, setReachable, restart } = globalThis as unknown as Handed;
  try {
    await SCENARIOS[name]?.({ ...where, cut, setReachable, restart });
    return undefined;
  } catch (error) {
    return error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error);
  }
}

Object.assign(globalThis, { runScenario });

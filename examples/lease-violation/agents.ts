/**
 * `explorer`: tries what its lease allows, and then one thing after the other that it does not. Each refusal is thrown at the
 * agent, with a code and details, and is on the job's log for everyone who watches.
 *
 *     leasehold dev agents.ts --run explorer --input '{"folder":"/somewhere"}' --budget USD:1.00 \
 *       --lease 'fs.read=/somewhere/**' --lease 'net.fetch=https://example.com/**' --lease tool.call=look --lease agent.delegate=guide
 */
import { join } from "node:path";
import { defineAgent } from "leasehold";
import * as v from "valibot";

/** May be delegated to. */
export const guide = defineAgent({ name: "guide", version: "1.0.0", run: async () => "this way" });

/** May not. */
export const smuggler = defineAgent({ name: "smuggler", version: "1.0.0", run: async () => "follow me" });

interface Attempt {
  readonly what: string;
  /** `allowed`, or the code of the refusal. */
  readonly outcome: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export const explorer = defineAgent({
  name: "explorer",
  version: "1.0.0",
  input: v.strictObject({ folder: v.pipe(v.string(), v.startsWith("/")) }),
  needs: {
    "fs.read": { why: "the folder to explore", patterns: ({ folder }) => [`${folder}/**`] },
    "cost.budget": { why: "to have some to spend", patterns: ["USD:1.00"] },
  },
  async run(ctx, { folder }) {
    const attempts: Attempt[] = [];
    async function attempt(what: string, operation: () => Promise<unknown>): Promise<void> {
      try {
        await operation();
        attempts.push({ what, outcome: "allowed" });
      } catch (error) {
        const { code, details } = error as { code: string; details?: Attempt["details"] };
        attempts.push({ what, outcome: code, ...(details && { details }) });
      }
    }

    const file = join(folder, "welcome.txt");
    await attempt("read a file of the folder", () => ctx.fs.readText(file));
    await attempt("read what is beside the folder", () => ctx.fs.readText(`${folder}/../agents.ts`));
    await attempt("list /etc", () => ctx.fs.list("/etc"));
    await attempt("write into the folder", () => ctx.fs.write(join(folder, "i-was-here.txt"), ""));
    await attempt("fetch the keys of the machine", () => ctx.fetch("http://169.254.169.254/latest/meta-data/"));
    await attempt("fetch from a host that only looks alike", () => ctx.fetch("https://example.com.evil.example/"));
    await attempt("call a tool that was granted", () => ctx.tool("look", {}, () => "trees"));
    await attempt("call one that was not", () => ctx.tool("shell", { command: "rm -rf /" }, neverCalled));
    await attempt("use a model", () => ctx.assertModelAllowed("gpt-5"));
    await attempt("delegate to the guide", () => ctx.delegate(guide, null));
    await attempt("delegate to the smuggler", () => ctx.delegate(smuggler, null));
    await attempt("give away more than it has", () =>
      ctx.delegate(guide, null, { lease: { "fs.read": [`${folder}/*`, "/etc/*"] } }),
    );
    await attempt("promise more than it has", () => ctx.delegate(guide, null, { budget: { USD: "1.01" } }));
    await ctx.charge({ USD: "1.00" });
    await attempt("go on with the budget used up", () => ctx.fs.readText(file));
    return attempts;
  },
});

function neverCalled(): never {
  throw new Error("what the guard refuses is never called");
}

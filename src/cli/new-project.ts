/** The files of a new project, as `leasehold init` writes them. A test installs, compiles and runs them. */

export interface NewProject {
  /** As npm takes it. */
  readonly name: string;
  /** Of `leasehold`, which the project depends on. */
  readonly version: string;
}

/** Paths relative to the project's directory → their text. */
export function projectFiles(project: NewProject): ReadonlyMap<string, string> {
  return new Map([
    ["package.json", `${JSON.stringify(manifestOf(project), null, 2)}\n`],
    ["tsconfig.json", `${JSON.stringify(COMPILER, null, 2)}\n`],
    ["agents.ts", AGENTS],
    ["client.ts", CLIENT],
    [".env.local.example", ENV_EXAMPLE],
    [".gitignore", "node_modules/\n.leasehold/\n.env.local\n"],
    ["README.md", readmeOf(project.name)],
  ]);
}

function manifestOf({ name, version }: NewProject): object {
  return {
    name,
    private: true,
    type: "module",
    engines: { node: ">=24" },
    scripts: { dev: "leasehold dev", client: "node client.ts" },
    dependencies: { leasehold: `^${version}` },
    devDependencies: { "@types/node": "^24.0.0" },
  };
}

/** For editors: Node runs the files as they are. */
const COMPILER = {
  compilerOptions: {
    target: "es2024",
    lib: ["es2024", "esnext.disposable"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
  },
  include: ["*.ts"],
};

const AGENTS = `import { setTimeout } from "node:timers/promises";
import { AgentError, defineAgent } from "leasehold";

/** Counts the words of a text, slowly enough to be watched. Edit it while \`leasehold dev\` runs. */
export const wordCount = defineAgent({
  name: "word-count",
  version: "1.0.0",
  restart: "always", // after a crash of the runtime it runs again, on the same stream of events
  needs: {
    "tool.call": { why: "to look at words", patterns: ["look"] },
    "cost.budget": { why: "0.01 credits for each word", patterns: ["credits:1"] },
  },
  async run(ctx, input) {
    const { text } = (input ?? {}) as { text?: unknown };
    if (typeof text !== "string") {
      throw new AgentError({ code: "INVALID_REQUEST", message: "give it a text, such as {\\"text\\":\\"to be\\"}" });
    }
    const words = text.split(/\\s+/).filter((word) => word !== "");
    const counts = new Map<string, number>();
    for (const [index, word] of words.entries()) {
      // Refused where the lease does not cover it, has expired, or has no credits left; on the job's log before it happens.
      await ctx.tool("look", { word }, ({ signal }) => setTimeout(100, word.length, { signal }));
      await ctx.charge({ credits: "0.01" });
      counts.set(word, (counts.get(word) ?? 0) + 1);
      await ctx.progress({ current: index + 1, total: words.length, units: "words", message: word });
    }
    return { words: words.length, counts: Object.fromEntries(counts) };
  },
});
`;

const CLIENT = `import { readFile } from "node:fs/promises";
import { connect } from "leasehold/client";
import type * as agents from "./agents.ts";

// \`leasehold dev\` leaves its URL and token here; any other runtime's come from the environment.
const { LEASEHOLD_URL, LEASEHOLD_TOKEN } = process.env;
const { url, token } = LEASEHOLD_URL
  ? { url: LEASEHOLD_URL, token: LEASEHOLD_TOKEN }
  : JSON.parse(await readFile(".leasehold/dev.json", "utf8"));

await using session = await connect<typeof agents>(url, { token });
const job = await session.submit(
  "word-count",
  { text: "to be or not to be" },
  { lease: { "tool.call": ["look"] }, budget: { credits: "1" } }, // all that the job may do
);
for await (const event of job.events()) {
  if (event.kind === "progress") console.log(\`\${event.body.current} of \${event.body.total}: \${event.body.message}\`);
}
console.log(await job.result());
console.log(\`\${job.budget.credits} credits are left\`);
`;

const ENV_EXAMPLE = `# Copy to .env.local, which \`leasehold dev\` loads and git ignores: keys that your agents need, one a line.
# MODEL_API_KEY=
`;

function readmeOf(name: string): string {
  return `# ${name}

Agents that run under a lease, with Leasehold. Needs Node 24 or newer.

    npm install
    npx leasehold dev          # serves agents.ts, and loads it anew when it changes
    npx leasehold submit word-count '{"text":"to be or not"}' --lease tool.call=look --budget credits:1
    node client.ts             # the same from a program; both in a second terminal

A job may do what its lease says, and nothing else. Leave the lease out, and you are told which one the agent needs.

\`npx leasehold --help\` lists the other commands: \`jobs\`, \`show\`, \`watch\`, \`cancel\`, \`serve\`, \`token\`.
`;
}

/** Who may import whom. Every rule here has a planted violation in `scripts/layers.test.ts` that it must catch. */
const { builtinModules } = require("node:module");
const { FACES, LAYERS, TEST_ONLY } = require("./scripts/layers.cjs");
require("./scripts/swc-using.cjs");

/** Tests may reach for anything, above all for `src/testing/`; the rules bind what ships. */
const TEST = TEST_ONLY.source;
const INDEX = "^src/index\\.ts$";

/** Node's modules that open files, sockets, databases, processes or threads. */
const IO_MODULES = [
  "child_process",
  "cluster",
  "dgram",
  "dns",
  "fs",
  "http",
  "http2",
  "https",
  "inspector",
  "net",
  "readline",
  "repl",
  "sqlite",
  "tls",
  "worker_threads",
].join("|");

const upward = LAYERS.slice(1).map((layer, index) => ({
  name: `upward-from-${layer}`,
  comment: `${layer}/ may import only from folders below it.`,
  severity: "error",
  from: { path: `^src/${layer}/`, pathNot: TEST },
  to: { path: `^src/(${LAYERS.slice(0, index + 1).join("|")})/` },
}));

const sideways = FACES.map((face) => ({
  name: `face-to-face-from-${face}`,
  comment: "sessions/, coordinator/ and api/ never import each other, not even in tests.",
  severity: "error",
  from: { path: `^src/${face}/` },
  to: { path: `^src/(${FACES.filter((other) => other !== face).join("|")})/` },
}));

module.exports = {
  forbidden: [
    ...upward,
    ...sideways,
    {
      name: "no-cycle",
      comment: "No file takes part in a circle of imports, types included.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "unresolvable",
      comment: "An import must lead somewhere; what the build makes may not be there yet.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true, pathNot: "^\\.\\./dist/" },
    },
    {
      name: "unknown-layer",
      comment: "A new folder of src/ gets its place in scripts/layers.cjs first.",
      severity: "error",
      from: { path: "^src/[^/]+/", pathNot: `^src/(${LAYERS.join("|")})/` },
      to: {},
    },
    {
      name: "public-entry-is-top",
      comment: "src/index.ts is for users: inside, import from the file that has it.",
      severity: "error",
      from: { path: "^src/", pathNot: TEST },
      to: { path: INDEX },
    },
    {
      name: "public-entry-not-to-cli",
      comment: "What users import does not bring the command along.",
      severity: "error",
      from: { path: INDEX },
      to: { path: "^src/cli/" },
    },
    {
      name: "src-stands-alone",
      comment: "What ships imports nothing outside src/.",
      severity: "error",
      from: { path: "^src/", pathNot: TEST },
      to: { path: "^(benchmarks|bin|conformance|console|examples|scripts)/" },
    },
    {
      name: "ship-no-tests",
      comment: "What ships does not import tests, nor what only tests need.",
      severity: "error",
      from: { path: "^src/", pathNot: TEST },
      to: { path: `${TEST}|^node_modules/(vitest|fast-check)/` },
    },
    {
      name: "kernel-protocol",
      comment: "Of protocol/ the kernel knows event kinds and error codes only.",
      severity: "error",
      from: { path: "^src/kernel/", pathNot: TEST },
      to: { path: "^src/protocol/", pathNot: "^src/protocol/(event-kinds|errors)\\.ts$" },
    },
    {
      name: "kernel-client",
      comment: "The kernel never knows the client.",
      severity: "error",
      from: { path: "^src/kernel/", pathNot: TEST },
      to: { path: "^src/client/" },
    },
    {
      name: "kernel-io",
      comment: "The kernel does no I/O: it knows ports.",
      severity: "error",
      from: { path: "^src/kernel/", pathNot: TEST },
      to: { path: `^(node:)?(${IO_MODULES})(/|$)` },
    },
    {
      name: "kernel-packages",
      comment: "The kernel needs no package: what it cannot do itself comes through a port.",
      severity: "error",
      from: { path: "^src/kernel/", pathNot: TEST },
      to: { path: "^node_modules/" },
    },
    {
      name: "browser-clean",
      comment: "client/ and protocol/ reach nothing that needs Node, however far away.",
      severity: "error",
      from: { path: "^src/(client|protocol)/", pathNot: TEST },
      to: { path: `^(node:)?(${builtinModules.map((name) => name.replace("node:", "")).join("|")})$`, reachable: true },
    },
    {
      name: "client-packages",
      comment: "The client brings no package into a browser.",
      severity: "error",
      from: { path: "^src/client/", pathNot: TEST },
      to: { path: "^node_modules/" },
    },
    {
      name: "sessions-stores",
      comment: "The sessions face never reaches a store.",
      severity: "error",
      from: { path: "^src/sessions/", pathNot: TEST },
      to: { path: "^src/stores/" },
    },
    {
      name: "sessions-transports",
      comment: "Of transports/ the sessions face knows what a connection is.",
      severity: "error",
      from: { path: "^src/sessions/", pathNot: TEST },
      to: { path: "^src/transports/", pathNot: "^src/transports/connection\\.ts$" },
    },
    {
      name: "transports-messages",
      comment:
        "Transports know bytes, not messages or jobs; of client/ they know the socket it is handed, of protocol/ framing.",
      severity: "error",
      from: { path: "^src/transports/", pathNot: TEST },
      to: { path: "^src/(kernel|client|protocol)/", pathNot: "^src/(client/web-socket|protocol/framing)\\.ts$" },
    },
    {
      name: "examples-as-users",
      comment: "An example imports what a user can: `leasehold` and its subpaths.",
      severity: "error",
      from: { path: "^examples/", pathNot: TEST },
      to: { dependencyTypes: ["local"], path: "^src/" },
    },
  ],
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "^node_modules/" },
    exclude: { path: "^(dist|console/dist)/" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["leasehold-source", "import", "node", "default"],
      extensions: [".ts", ".d.ts", ".js"],
    },
  },
};

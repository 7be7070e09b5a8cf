/**
 * The layers of `src/`, highest first: a folder may import from those below it, never from one above. Both the
 * layer check and the check of ARCHITECTURE.md read this list.
 */
exports.LAYERS = [
  "cli",
  "conformance",
  "testing",
  "server",
  "sessions",
  "coordinator",
  "api",
  "identity",
  "provisioners",
  "agents",
  "stores",
  "transports",
  "kernel",
  "client",
  "protocol",
  "platform",
];

/** The faces: each translates for its own callers and knows nothing of the others. */
exports.FACES = ["sessions", "coordinator", "api"];

/**
 * Files below `src/` that only tests use: the tests, contract suites run on every implementation of a port, and what
 * a folder's tests share. They are bound by no layer and are not published.
 */
exports.TEST_ONLY = /\.(test|test-d)\.|-contract\.|\/contract\/|[/-]test-[^/]+$/;

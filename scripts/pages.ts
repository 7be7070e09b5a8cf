/** Documents that are written from data. `npm run conformance` writes them; `npm test` fails when one is stale. */
import { findAttackCitations, renderAttacks } from "../conformance/attacks/attack-table.ts";
import { ATTACKS } from "../conformance/attacks/attacks.ts";
import { type Citations, findCitations, renderConformance } from "../conformance/manifest.ts";
import { CHAPTERS, REQUIREMENTS } from "../conformance/requirements.ts";
import { ERRORS } from "../src/protocol/errors.ts";
import { readFiles } from "./repository.ts";

interface Page {
  readonly path: string;
  readonly text: string;
}

/** Tests whose titles may cite a requirement. */
const CITING_TESTS = "{src,conformance,examples}/**/*.test.ts";
/** `conformance/suite/suite.test.ts` runs each of them against our own runtime. */
const SUITE_CASES = "src/conformance/cases/*.ts";

export function readCitations(): Citations {
  return findCitations(readFiles(CITING_TESTS), readFiles(SUITE_CASES));
}

export function readAttackCitations(): Citations {
  return findAttackCitations(readFiles(CITING_TESTS));
}

export function renderPages(): readonly Page[] {
  return [
    { path: "CONFORMANCE.md", text: renderConformance(CHAPTERS, readCitations()) },
    { path: "docs/attacks.md", text: renderAttacks(ATTACKS, REQUIREMENTS, readAttackCitations()) },
    { path: "docs/errors.md", text: renderErrors() },
  ];
}

function renderErrors(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { retryable, httpStatus, meaning }]) =>
      `| \`${code}\` | ${retryable ? "yes" : "no"} | ${httpStatus} | ${meaning} |`,
  );
  return [
    "# Errors",
    "",
    "Every error carries `code`, `message`, `retryable` and, where they help, `details`. Branch on the code; the message",
    "is for people. `retryable` says whether the same request can succeed later; the column shows the usual value.",
    "",
    "Written from `src/protocol/errors.ts` by `npm run conformance`; do not edit it here.",
    "",
    "| code | retryable | HTTP status | meaning |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

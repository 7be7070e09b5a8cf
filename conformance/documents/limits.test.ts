/** The limits as the pages tell them, held against the code: every option with its default, and every fixed one. */
import { describe, expect, it } from "vitest";
import { readFile } from "../../scripts/repository.ts";
import { MAX_REDIRECTS } from "../../src/agents/fetch.ts";
import { MAX_WHOLE_BODY_BYTES } from "../../src/agents/fetched-response.ts";
import { DEFAULT_MAX_READ_BYTES, MAX_OPEN_FILES } from "../../src/agents/files/guarded-files.ts";
import { readSettings, SETTINGS } from "../../src/cli/options/settings.ts";
import { DEFAULT_JOB_LIMITS } from "../../src/client/job.ts";
import { DEFAULT_RECONNECT } from "../../src/client/reconnect.ts";
import { AUDIT_KEPT_MS } from "../../src/kernel/audit/audit-trail.ts";
import { MAX_PATTERNS_NAMED } from "../../src/kernel/authority/guard.ts";
import { LEASE_LIMITS } from "../../src/kernel/authority/lease.ts";
import {
  DEFAULT_GRANT_SECONDS,
  DEFAULT_WAIT_SECONDS,
  MAX_ARGS_LENGTH,
  MAX_GRANT_SECONDS,
  MAX_PENDING_REQUESTS,
  MAX_PERMISSION_REASON,
  MAX_REQUESTS,
  MAX_WAIT_SECONDS,
} from "../../src/kernel/authority/permission.ts";
import { POLICY_ANSWER_MS } from "../../src/kernel/authority/policy-gate.ts";
import { MAX_TARGET_LENGTH } from "../../src/kernel/authority/targets.ts";
import { MAX_JOBS_ON_BREAK, MAX_JOBS_ON_BREAK_PER_PRINCIPAL } from "../../src/kernel/job/slot-breaks.ts";
import { ADVERTISED_FEATURES } from "../../src/protocol/features.ts";
import { CLOSE } from "../../src/protocol/framing.ts";
import { HTTP_LIMITS } from "../../src/server/listener.ts";
import { readBounds } from "../../src/server/runtime-options.ts";
import { MAX_UNSENT_BYTES } from "../../src/transports/limits.ts";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
  bytes: 1,
  characters: 1,
  s: 1,
  days: 86_400,
};

/** `256 MiB` → bytes, `30 days` → seconds, `10,000` → 10000. */
function amountOf(text: string): number {
  const [, digits, unit = ""] = /^([\d,]+)(?: (\w+))?$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (digits === undefined || factor === undefined) throw new Error(`"${text}" is no amount`);
  return Number(digits.replaceAll(",", "")) * factor;
}

/** The first two cells of each row of the table below a heading. */
function tableBelow(page: string, heading: string): ReadonlyMap<string, string> {
  const section =
    readFile(page)
      .split(/^#+ /m)
      .find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const rows = [...section.matchAll(/^\| ([^|]+) \| ([^|]+) \|/gm)].slice(1);
  return new Map(rows.map(([, name = "", value = ""]) => [name.replaceAll("`", "").trim(), value.trim()]));
}

function amounts(page: string, heading: string): Readonly<Record<string, number>> {
  return Object.fromEntries([...tableBelow(page, heading)].map(([name, value]) => [name, amountOf(value)]));
}

/** The number that `pattern` finds in a file of `src/`. */
function numberIn(file: string, pattern: RegExp): number {
  const [, digits] = pattern.exec(readFile(`src/${file}`)) ?? [];
  if (digits === undefined) throw new Error(`src/${file} has nothing like ${pattern}`);
  return Number(digits.replaceAll("_", ""));
}

/** A constant that its file keeps to itself, such as `const MAX = 10_000;`. */
function constantOf(file: string, name: string): number {
  return numberIn(file, new RegExp(`const ${name} = ([\\d_]+);`));
}

/** What a runtime is bound by that was told nothing. */
const BOUNDS = readBounds({ agents: [] });
const OPERATING = "docs/guides/operating.md";

describe("permissions.md", () => {
  it("has every limit of permissions", () => {
    const page = readFile("docs/guides/permissions.md").replaceAll(/\s+/g, " ");
    const count = (value: number): string => value.toLocaleString("en");
    for (const told of [
      `at most ${count(MAX_PERMISSION_REASON)} characters`,
      `at most ${count(MAX_ARGS_LENGTH)} characters`,
      `for how long; ${DEFAULT_GRANT_SECONDS} unless you or whoever decides says otherwise, at most ${count(MAX_GRANT_SECONDS)}`,
      `${count(DEFAULT_WAIT_SECONDS)} by default, at most ${count(MAX_WAIT_SECONDS)}`,
      `at most ${MAX_PENDING_REQUESTS} requests waiting and ${count(MAX_REQUESTS)} in all`,
      `when ${count(MAX_JOBS_ON_BREAK)} are waiting for people already, or ${count(MAX_JOBS_ON_BREAK_PER_PRINCIPAL)} of its principal`,
      `within ${POLICY_ANSWER_MS / 1_000} s`,
    ])
      expect(page).toContain(told);
  });
});

describe("operating.md", () => {
  it("has every limit of jobs with its default", () => {
    expect(amounts(OPERATING, "Of jobs: `createRuntime({ limits })`")).toEqual(BOUNDS.jobLimits);
  });

  it("has every limit of sessions with its default", () => {
    expect(amounts(OPERATING, "Of sessions: `createRuntime({ limits })`")).toEqual(BOUNDS.sessionLimits);
  });

  it("has every limit of content with its default", () => {
    expect(amounts(OPERATING, "Of content: `createRuntime({ limits })`")).toEqual({
      maxResultBytes: constantOf("agents/result-stream.ts", "MAX_STREAMED_BYTES"),
      maxArtifactBytes: constantOf("kernel/job/artifacts.ts", "MAX_ARTIFACT_BYTES"),
      maxJobArtifactBytes: constantOf("kernel/job/artifacts.ts", "MAX_JOB_ARTIFACT_BYTES"),
    });
  });

  it("has the options of the process with their defaults", () => {
    const { maxConnections, resumeWindowSec, heartbeatIntervalSec, requestRate, retention } = BOUNDS;
    expect(amounts(OPERATING, "Of the process: `createRuntime({ … })`")).toEqual({
      maxConnections,
      resumeWindowSec,
      heartbeatIntervalSec,
      "requestRate.perSecond": requestRate.perSecond,
      "requestRate.burst": requestRate.burst,
      "retention.maxAgeSec": retention.maxAgeSec,
      "retention.maxBytes": retention.maxBytes,
    });
  });

  it("names whatever the command can set, and says what it cannot", () => {
    const inLimits = ["jobs", "sessions", "content"].flatMap((of) =>
      [...tableBelow(OPERATING, `Of ${of}: \`createRuntime({ limits })\``).keys()].map((name) => `limits.${name}`),
    );
    const inProcess = [...tableBelow(OPERATING, "Of the process: `createRuntime({ … })`").keys()];
    const others = ["maxConnections", "requestRate.perSecond", "requestRate.burst"];
    expect([...inLimits, ...inProcess].toSorted()).toEqual([...SETTINGS, ...others].toSorted());
    const set = [...readFile(OPERATING).matchAll(/--set (\S+=\w+)/g)].map(([, setting = ""]) => setting);
    expect(() => readBounds({ agents: [], ...readSettings(set) })).not.toThrow();
  });

  it("has the fixed limits as they are", () => {
    expect(amounts(OPERATING, "Fixed")).toEqual({
      "a frame, a line, a body of the API": constantOf("protocol/framing.ts", "MAX_FRAME_BYTES"),
      "nesting of a message": constantOf("protocol/codec.ts", "MAX_NESTING"),
      "nesting of an input with an idempotency key": constantOf("kernel/job/digest.ts", "MAX_DIGESTED_NESTING"),
      "an id in a message": constantOf("protocol/fields.ts", "MAX_ID_LENGTH"),
      "a token": constantOf("identity/authenticator.ts", "MAX_TOKEN_LENGTH"),
      "the first frame of a connection": constantOf("sessions/conversation.ts", "FIRST_FRAME_MS") / 1_000,
      "malformed frames in a row": constantOf("sessions/conversation.ts", "MAX_MALFORMED_FRAMES"),
      "frames ahead of the welcome": constantOf("sessions/conversation.ts", "MAX_EARLY_FRAMES"),
      "unread by a client, from where nothing is pushed": constantOf("transports/connection.ts", "OVERLOAD_BYTES"),
      "unread by a client, in all": MAX_UNSENT_BYTES,
      "requests of a session that wait for their turn": constantOf("sessions/turns.ts", "MAX_WAITING_TURNS"),
      "jobs in an answer to session.list_jobs": constantOf("sessions/handlers/list-jobs.ts", "LARGEST_PAGE"),
      "jobs in an answer of the API": constantOf("api/routes/jobs.ts", "LARGEST_PAGE"),
      "decisions in an answer of the API": constantOf("api/routes/audit.ts", "LARGEST_PAGE"),
      "logs, feeds and artifacts that a principal reads at once": constantOf("api/long-answers.ts", "MAX_LONG_ANSWERS"),
      "a reader of these that takes nothing": constantOf("api/long-answers.ts", "STALLED_READER_MS") / 1_000,
      "jobs that wait for a reader of the feed": constantOf("api/job-feed.ts", "MAX_WAITING_CHANGES"),
      "body of an event": constantOf("kernel/job/attempt.ts", "MAX_ENTRY_LENGTH"),
      "entries of a job that wait for the disk": constantOf("kernel/job/active-job.ts", "MAX_BUFFERED_ENTRIES"),
      "emitted without awaiting": constantOf("kernel/job/active-job.ts", "MAX_UNAWAITED_LENGTH"),
      "a result given whole": constantOf("agents/inline-return.ts", "MAX_INLINE_RESULT_BYTES"),
      max_runtime_sec: constantOf("kernel/job/submission-checks.ts", "MAX_RUNTIME_SEC"),
      "attempts of a job": constantOf("kernel/job/recovery.ts", "MAX_ATTEMPTS"),
      "principals that one may observe": constantOf("identity/visibility.ts", "MAX_OBSERVED"),
      "age of an entry of the audit": AUDIT_KEPT_MS / 1_000,
      "headers of an HTTP request": HTTP_LIMITS.headersMs / 1_000,
      "the whole of it": HTTP_LIMITS.requestMs / 1_000,
      "request line and headers": HTTP_LIMITS.headerBytes,
      "requests that wait behind another one of their HTTP connection": constantOf(
        "server/pipeline.ts",
        "MAX_PIPELINED",
      ),
      "sockets that are no WebSocket, beside maxConnections": HTTP_LIMITS.socketsBeside,
      "refused WebSockets in the log, in a minute": constantOf("server/refusal-log.ts", "MAX_REFUSALS_LOGGED"),
      "an answer of your own policy": constantOf("kernel/authority/policy-gate.ts", "POLICY_ANSWER_MS") / 1_000,
      "decisions that such a policy thinks about at a time": constantOf(
        "kernel/authority/policy-gate.ts",
        "MAX_POLICY_QUESTIONS",
      ),
      "rules of a policy": constantOf("identity/policy-rules.ts", "MAX_POLICY_RULES"),
      "an answer of your own authenticator or token source":
        constantOf("server/callers.ts", "ANSWER_WITHIN_MS") / 1_000,
      "a document of an issuer of JWTs": constantOf("identity/issuer-keys.ts", "MAX_DOCUMENT_BYTES"),
    });
  });
});

describe("the other guides", () => {
  it("tell how much a lease may hold", () => {
    const { namespaces, namespaceLength, patterns, patternLength, patternsLength, currencies, digits } = LEASE_LIMITS;
    const numbers = [...tableBelow("docs/guides/jobs.md", "Leases")].map(([name, value]) => [
      name,
      (value.match(/[\d,]+\d/g) ?? []).map(amountOf),
    ]);
    expect(Object.fromEntries(numbers)).toEqual({
      namespaces: [namespaces, namespaceLength],
      patterns: [patterns, patternLength, patternsLength],
      currencies: [currencies, digits],
    });
  });

  it("tell how much guarded tools take", () => {
    const rows = [...tableBelow("docs/guides/leases.md", "How much")];
    expect(
      Object.fromEntries(rows.map(([name, value]) => [name, amountOf(value.replace(/, unless .*/, "") ?? "")])),
    ).toEqual({
      "redirects that fetch follows": MAX_REDIRECTS,
      "a body that text(), json() and their like take whole": MAX_WHOLE_BODY_BYTES,
      "directories that one mkdir makes": constantOf("agents/files/guarded-files.ts", "MAX_MADE_DIRECTORIES"),
      "a path, or a URL without its query": MAX_TARGET_LENGTH,
      "a file that read takes whole": DEFAULT_MAX_READ_BYTES,
      maxBytes: constantOf("agents/files/guarded-files.ts", "MOST_READ_BYTES"),
      "entries of a directory that list takes": constantOf("agents/files/guarded-files.ts", "MAX_LISTED_ENTRIES"),
      "file operations at a time; further ones wait": MAX_OPEN_FILES,
      "patterns that a refusal names": MAX_PATTERNS_NAMED,
    });
  });

  it("tell how many reservations a job may make", () => {
    expect([...tableBelow("docs/guides/leases.md", "Reservations")].map(([, value]) => amountOf(value))).toEqual([
      constantOf("kernel/job/reservations.ts", "MAX_OPEN_RESERVATIONS"),
      constantOf("kernel/job/reservations.ts", "MAX_RESERVATIONS"),
    ]);
  });

  it("tell how far jobs delegate", () => {
    const rows = [...tableBelow("docs/guides/delegation.md", "What a child may do")];
    const limits = rows.filter(([name]) => name.startsWith("max") && name.includes(", "));
    const { maxDelegationDepth, maxLiveChildren, maxTreeJobs } = BOUNDS.jobLimits;
    expect(Object.fromEntries(limits.map(([name, value]) => [name.replace(/,.*/, ""), amountOf(value)]))).toEqual({
      maxDelegationDepth,
      maxLiveChildren,
      maxTreeJobs,
    });
  });

  it.each([
    ["delegation", /at most ([\d,]+) characters of JSON/, "kernel/job/delegate.ts", "MAX_INPUT_LENGTH"],
    ["delegation", /delegate ([\d,]+) times in all/, "kernel/job/delegate.ts", "MAX_DELEGATIONS"],
    ["delegation", /more than ([\d,]+) characters of JSON/, "kernel/job/delegate.ts", "MAX_INPUT_TOLD"],
    ["delegation", /up to ([\d,]+ MiB)/, "kernel/job/child-outcome.ts", "MAX_STREAMED_BYTES"],
    ["isolation", /At most ([\d,]+) of them run at once/, "agents/isolation/supervisor.ts", "MAX_PROCESSES"],
    [
      "isolation",
      /of up to ([\d,]+ MiB) can be read and written/,
      "agents/isolation/file-calls.ts",
      "MAX_WRITTEN_BYTES",
    ],
    ["models-and-tools", /at most ([\d,]+) entries/, "agents/prices.ts", "MAX_PRICES"],
    ["models-and-tools", /longer than ([\d,]+) characters/, "agents/logged-result.ts", "MAX_LOGGED_RESULT_LENGTH"],
  ])("tell in %s: %s", (page, words, file, name) => {
    const text = readFile(`docs/guides/${page}.md`).replace(/\s+/g, " ");
    expect(amountOf(words.exec(text)?.[1] ?? "")).toBe(constantOf(file, name));
  });

  it("tell how much an agent may say", () => {
    const rows = tableBelow("docs/guides/events.md", "How much");
    expect(amountOf(rows.get("body of one event")?.replace(" of JSON", "") ?? "")).toBe(
      constantOf("kernel/job/attempt.ts", "MAX_ENTRY_LENGTH"),
    );
    expect(rows.get("what one job has waiting for the disk")?.split(" entries or ").map(amountOf)).toEqual([
      constantOf("kernel/job/active-job.ts", "MAX_BUFFERED_ENTRIES"),
      constantOf("kernel/job/active-job.ts", "MAX_BUFFERED_BYTES"),
    ]);
    expect(amountOf(rows.get("emitted without awaiting") ?? "")).toBe(
      constantOf("kernel/job/active-job.ts", "MAX_UNAWAITED_LENGTH"),
    );
    expect(amountOf(rows.get("name of a vendor's kind") ?? "")).toBe(
      constantOf("agents/event-bodies.ts", "MAX_KIND_LENGTH"),
    );
    expect(amountOf(rows.get("a job's log (maxLogBytes)") ?? "")).toBe(BOUNDS.jobLimits.maxLogBytes);
  });

  it("tell the limits of the client", () => {
    const numbers = [...tableBelow("docs/guides/client.md", "Limits")].map(([name, value]) => {
      const mebi = value.includes(" Mi ") ? (UNITS.MiB ?? 1) : 1;
      return [name, (value.match(/\d[\d,]*(?=,? |,?$)/g) ?? []).map((digits) => amountOf(digits) * mebi)];
    });
    const { firstDelayMs, maxDelayMs, maxAttempts } = DEFAULT_RECONNECT;
    const ofConnect = (name: string) => numberIn("client/connect.ts", new RegExp(`options\\.${name} \\?\\? ([\\d_]+)`));
    expect(Object.fromEntries(numbers)).toEqual({
      connectTimeoutMs: [ofConnect("connectTimeoutMs")],
      "reconnect.maxAttempts": [maxAttempts],
      "reconnect.firstDelayMs, maxDelayMs": [firstDelayMs, maxDelayMs],
      maxPendingRequests: [ofConnect("maxPendingRequests")],
      maxBufferedLength: [DEFAULT_JOB_LIMITS.maxBufferedLength],
      maxResultLength: [DEFAULT_JOB_LIMITS.maxResultLength],
    });
  });

  it("tell how much the gateway takes", () => {
    const ofGateway = (file: string, name: string): number => constantOf(`provisioners/gateway/${file}.ts`, name);
    expect(amounts("docs/guides/gateway.md", "Limits")).toEqual({
      "a request": ofGateway("calls", "MAX_BODY_BYTES"),
      "values in a request": ofGateway("json-bounds", "MAX_VALUES"),
      "levels of its JSON": ofGateway("json-bounds", "MAX_NESTING"),
      "requests that are being read": ofGateway("request-body", "MAX_HELD_BYTES"),
      "calls under way, of all keys": ofGateway("calls", "MAX_CALLS"),
      "calls under way, of one key": ofGateway("keys", "MAX_KEY_CALLS"),
      "an answer": ofGateway("pass-on", "MAX_ANSWER_BYTES"),
      "an event of a stream": ofGateway("event-stream", "MAX_EVENT_BYTES"),
      "a call in which nothing moves": ofGateway("calls", "IDLE_MS") / 1_000,
      "a call": ofGateway("calls", "TOTAL_MS") / 1_000,
    });
  });

  it("tell every close code and every feature", () => {
    const codes = [...tableBelow("docs/guides/sessions-and-resume.md", "Close codes").keys()].map(Number);
    const { abnormal: _neverSent, ...ours } = CLOSE;
    const ofTheTransport = [1009];
    expect(codes).toEqual([...Object.values(ours), ...ofTheTransport].toSorted((a, b) => a - b));
    const page = readFile("docs/guides/sessions-and-resume.md");
    for (const feature of ADVERTISED_FEATURES) expect(page).toContain(`\`${feature}\``);
  });
});

/** What became of what an agent tried under its lease, as its events and its end tell. */
import { isJsonObject, type JsonObject } from "../protocol/fields.ts";
import { isTerminal } from "./frame.ts";
import type { Session } from "./session.ts";

/** The bodies of a job's events of one kind, in order. */
export function bodiesOf(session: Session, job: string, kind: string): readonly JsonObject[] {
  return session
    .stream(job)
    .filter(({ type, payload }) => type === "job.event" && payload.kind === kind)
    .map(({ payload }) => (isJsonObject(payload.body) ? payload.body : {}));
}

/** The codes of its refusals, in order: of failed tool results and, where it ended by one, of its end. */
export function refusalsOf(session: Session, job: string): readonly string[] {
  const refused = bodiesOf(session, job, "tool_result").flatMap(({ error }) =>
    isJsonObject(error) ? [String(error.code)] : [],
  );
  const end = session.stream(job).find(isTerminal);
  return end?.type === "job.error" ? [...refused, String(end.payload.code)] : refused;
}

/** Tool calls that were carried out. */
export function carriedOut(session: Session, job: string): number {
  return bodiesOf(session, job, "tool_result").filter(({ error }) => error === undefined || error === null).length;
}

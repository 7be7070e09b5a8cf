/**
 * Listings of jobs, newest first, without an index of their own on what may be filtered by: an insert would pay for it.
 * A page looks at so many jobs and then ends, whatever it has found; only what is unfinished has an index anyway.
 */
import type { JobRecord } from "../../kernel/job/job-record.ts";
import { isTerminal } from "../../kernel/job/job-state.ts";
import { CLOCK_SLACK_MS, JOBS_LOOKED_AT, listedLength } from "../../kernel/job/list.ts";
import { type JobPage, type JobQuery, PAGE_LENGTH } from "../../kernel/ports.ts";
import { matchesPrincipal } from "../../kernel/principal.ts";
import { type Database, rowLimit } from "./database.ts";
import { type JobColumns, SELECT_JOB, toJobRecord, UNFINISHED } from "./jobs.ts";

const OF_ONE = "job.principal = ?1";
/** `?1` is a JSON list of principals and of `tenant/*`. */
const OF_ANY = `(job.principal IN (SELECT value FROM json_each(?1))
  OR substr(job.principal, 1, instr(job.principal, '/')) || '*' IN (SELECT value FROM json_each(?1)))`;

interface Floor {
  readonly key: number;
  readonly createdAt: number;
}

export function createJobListing(database: Database) {
  const select = (where: string, from = SELECT_JOB) =>
    database.prepare<JobColumns & { key: number }>(
      `${from.replace("job.outcome", "job.outcome, job.key")}
      WHERE ${where} AND job.key < ?2 AND job.key >= ?8
        AND (?3 IS NULL OR job.status IN (SELECT value FROM json_each(?3)))
        AND (?4 IS NULL OR job.agent = ?4 OR job.agent || '@' || job.version = ?4)
        AND job.created_at > ?5 AND job.created_at < ?6
      ORDER BY job.key DESC LIMIT ?7`,
    );
  // Through the index of children: most jobs have none, and are not looked at.
  const inTree = `${OF_ANY} AND job.root = ?9 AND (?10 IS NULL OR job.parent = ?10)
    AND job.key IN (SELECT ?9 UNION ALL SELECT key FROM jobs WHERE root = ?9 AND parent IS NOT NULL)`;
  const selects = {
    one: select(OF_ONE),
    any: select(OF_ANY),
    unfinished: select(
      `${OF_ANY} AND ${UNFINISHED}`,
      SELECT_JOB.replace("FROM jobs AS job ", "FROM jobs AS job INDEXED BY jobs_unfinished "),
    ),
  };
  const floor = (where: string) =>
    database.prepare<Floor>(
      `SELECT key, created_at AS createdAt FROM jobs AS job WHERE ${where} AND key < ?2
      ORDER BY key DESC LIMIT 1 OFFSET ${JOBS_LOOKED_AT - 1}`,
    );
  const floors = { one: floor(OF_ONE), any: floor("?1 IS NOT NULL") };
  const selectTree = select(inTree);
  const selectRoot = database.prepare<{ key: number; root: number }>("SELECT key, root FROM jobs WHERE id = ?");
  const selectPlace = database.prepare<{ key: number; principal: string }>(
    "SELECT key, principal FROM jobs WHERE id = ?",
  );

  /** The key that jobs of this page must lie below; undefined when there can be none. */
  function beginningOf({ principals, from, after }: JobQuery): number | undefined {
    if (from !== undefined || after === undefined) return from ?? Number.MAX_SAFE_INTEGER;
    const place = selectPlace.get(after);
    const own = place !== undefined && principals.some((pattern) => matchesPrincipal(pattern, place.principal));
    return own ? place.key : undefined;
  }

  /** The keys of the tree and of the parent that are asked for; undefined when no job can be of both. */
  function treeOf({ parent, root }: JobQuery): { readonly root: number; readonly parent: number | null } | undefined {
    const above = parent === undefined ? undefined : selectRoot.get(parent);
    const top = root === undefined ? undefined : selectRoot.get(root)?.key;
    const whole = root === undefined ? above?.root : top;
    if (whole === undefined || (parent !== undefined && above?.root !== whole)) return undefined;
    return { root: whole, parent: above?.key ?? null };
  }

  return (query: JobQuery): JobPage => {
    const before = beginningOf(query);
    if (before === undefined || query.principals.length === 0) return { jobs: [], next: undefined };
    const { principals, status, agent, createdAfter = -1, createdBefore = Number.MAX_SAFE_INTEGER } = query;
    const [first = ""] = principals;
    const one = principals.length === 1 && !first.endsWith("/*");
    const ofTree = query.parent !== undefined || query.root !== undefined;
    const tree = ofTree ? treeOf(query) : undefined;
    if (ofTree && tree === undefined) return { jobs: [], next: undefined };
    const unfinished = !ofTree && (status?.every((each) => !isTerminal(each)) ?? false);
    const isFiltered =
      status !== undefined ||
      agent !== undefined ||
      query.createdAfter !== undefined ||
      query.createdBefore !== undefined;
    const whose = one ? first : JSON.stringify(principals);
    const looked =
      ofTree || unfinished || (one && !isFiltered) ? undefined : floors[one ? "one" : "any"].get(whose, before);

    const jobs: JobRecord[] = [];
    let length = 0;
    let last = before;
    let isFull = query.limit <= 0;
    const statement = tree === undefined ? selects[unfinished ? "unfinished" : one ? "one" : "any"] : selectTree;
    const rows = statement.iterate(
      unfinished || ofTree ? JSON.stringify(principals) : whose,
      before,
      status === undefined ? null : JSON.stringify(status),
      agent ?? null,
      createdAfter,
      createdBefore,
      rowLimit(query.limit),
      looked?.key ?? 0,
      ...(tree === undefined ? [] : [tree.root, tree.parent]),
    );
    for (const { key, ...row } of rows) {
      const job = toJobRecord(row);
      jobs.push(job);
      last = key;
      length += listedLength(job);
      isFull = jobs.length >= query.limit || length >= PAGE_LENGTH;
      if (isFull) break;
    }
    if (isFull) return { jobs, next: last };
    // Older jobs are in the order of their insertion: from here on they are all older than was asked for.
    const isPast = looked !== undefined && looked.createdAt < createdAfter - CLOCK_SLACK_MS;
    return { jobs, next: isPast ? undefined : looked?.key };
  };
}

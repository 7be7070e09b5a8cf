/** What sessions, jobs, artifacts and audit need beyond the first version. Carries over what a first-version database holds. */
export const allOfArcp = `
-- Jobs: what each was asked to do stands by itself. A job's row is read by every listing, and written anew at every change.
CREATE TABLE inputs (
  job INTEGER PRIMARY KEY,
  text TEXT NOT NULL
);
INSERT INTO inputs (job, text) SELECT key, submission -> '$.input' FROM jobs WHERE submission -> '$.input' IS NOT NULL;
ALTER TABLE jobs ADD COLUMN lease TEXT;
UPDATE jobs SET lease = nullif(submission -> '$.lease', 'null');
ALTER TABLE jobs DROP COLUMN submission;
-- The span that submitted the job, with its flags, where the client told.
ALTER TABLE jobs ADD COLUMN trace_parent TEXT;
-- Of children: what their parent's log calls the delegation.
ALTER TABLE jobs ADD COLUMN delegate_id TEXT;
-- Of the submitter, with spaces between: what a policy judges delegations by.
ALTER TABLE jobs ADD COLUMN roles TEXT NOT NULL DEFAULT '';

-- Follows go in the commit that places a job's terminal. Before, they went when its segments were freed.
DELETE FROM follows WHERE EXISTS (
  SELECT 1 FROM jobs AS job WHERE job.key = follows.job AND job.status NOT IN ('pending', 'running', 'ending')
    AND max(follows.cursor, coalesce((
      SELECT max(segment.last_job_seq) FROM segments AS segment
      WHERE segment.session = follows.session AND segment.job = follows.job AND segment.first_event_seq > follows.since
    ), 0)) >= coalesce((
      SELECT (id & 268435455) + length(kinds) - 1 FROM chunks
      WHERE id BETWEEN job.key << 28 AND (job.key << 28) + 268435455 ORDER BY id DESC LIMIT 1
    ), 0)
);
-- Frames of a session's stream that are no entries of a job's log: each is a segment of one place.
ALTER TABLE segments ADD COLUMN frame TEXT;

-- Artifacts. Their contents are files named by sha256; a row is one job's name for one of them.
CREATE TABLE artifacts (
  id TEXT PRIMARY KEY,
  job INTEGER NOT NULL,
  name TEXT,
  content_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX artifacts_of_job ON artifacts (job);
CREATE INDEX artifacts_of_content ON artifacts (sha256);

-- Budgets: a row only for jobs whose counters have moved.
CREATE TABLE budgets (
  job INTEGER PRIMARY KEY,
  -- JSON: currency → { spent, held }, decimals as text.
  counters TEXT NOT NULL
);
-- Parts of budgets set aside, settled ones too: a later attempt of the job asks for them by key.
CREATE TABLE holds (
  job INTEGER NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  -- JSON: currency → decimal as text.
  amounts TEXT NOT NULL,
  -- The id of the job it was held for.
  child TEXT,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  PRIMARY KEY (job, id)
) WITHOUT ROWID;

-- What jobs have asked for at run time, in the order of asking.
CREATE TABLE permissions (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  job INTEGER NOT NULL,
  -- By which a later attempt of the job finds it.
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  args_digest TEXT,
  args TEXT,
  permission TEXT NOT NULL,
  resource TEXT NOT NULL,
  operation TEXT NOT NULL,
  reason TEXT,
  lease_seconds INTEGER,
  attempt INTEGER NOT NULL,
  state TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  lease_id TEXT,
  decided_at INTEGER,
  decided_by TEXT,
  decision_reason TEXT
);
CREATE INDEX permissions_of_job ON permissions (job);
CREATE INDEX permissions_open ON permissions (key) WHERE (state = 'pending' OR state = 'granted');

-- Audit: who asked for what, and whether it was allowed. Rows are added, and removed only once they are old.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  principal TEXT,
  action TEXT NOT NULL,
  -- As it was asked for: there need be no such job.
  job TEXT,
  owner TEXT,
  allowed INTEGER NOT NULL,
  details TEXT NOT NULL
);
CREATE INDEX audit_of_job ON audit (job) WHERE job IS NOT NULL;
-- In whose view a row lies: of its principal, its owner, everyone of their tenants ('tenant/*'), or '*' if it names nobody.
CREATE TABLE audit_scopes (
  scope TEXT NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (scope, seq)
) WITHOUT ROWID;

-- Retention: jobs whose rows are gone. done = 0 while parts of their logs are left. The highest stays, and keeps its key
-- from being given again.
CREATE TABLE removals (
  job INTEGER PRIMARY KEY,
  done INTEGER NOT NULL DEFAULT 0
);
-- Those that are done are many while the jobs of a large tree go.
CREATE INDEX removals_left ON removals (job) WHERE done = 0;
-- Of children only: to insert a root costs nothing.
CREATE INDEX jobs_children ON jobs (root) WHERE parent IS NOT NULL;
`;

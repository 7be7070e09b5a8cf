/**
 * Jobs and sessions have integer keys inside, given in the order of insertion; ids are text only where they come in.
 * Measured by `benchmarks/store.ts`: these layouts against others.
 */
export const initial = `
CREATE TABLE jobs (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  root INTEGER NOT NULL,
  parent INTEGER,
  -- Of roots only.
  epoch INTEGER,
  -- Null until a node claims the tree: then it belongs to whichever node inserted it.
  owner TEXT,
  principal TEXT NOT NULL,
  session TEXT,
  agent TEXT NOT NULL,
  version TEXT NOT NULL,
  trace_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  deadline_at INTEGER,
  expires_at INTEGER,
  submission TEXT NOT NULL,
  status TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  outcome TEXT
);
-- Holds (principal, key): a principal's jobs in the order of insertion.
CREATE INDEX jobs_of_principal ON jobs (principal);
-- Spelled as in jobs.ts. OR and not IN: an IN list is built anew for every row written, 3 µs each.
CREATE INDEX jobs_unfinished ON jobs (root) WHERE status = 'pending' OR status = 'running' OR status = 'ending';

-- id is job << 28 | first_seq: appends touch one tree. WITHOUT ROWID costs twice as much here, its pages hold less of a row.
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY,
  kinds TEXT NOT NULL,
  payloads TEXT NOT NULL
);

CREATE TABLE idempotency (
  principal TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  job INTEGER NOT NULL,
  PRIMARY KEY (principal, key)
) WITHOUT ROWID;

CREATE TABLE steps (
  job INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT,
  PRIMARY KEY (job, name)
);

CREATE TABLE sessions (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  principal TEXT NOT NULL,
  -- Names joined by spaces.
  features TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  newest_token TEXT NOT NULL,
  presented_token TEXT,
  released INTEGER NOT NULL
);

CREATE TABLE segments (
  session INTEGER NOT NULL,
  first_event_seq INTEGER NOT NULL,
  last_event_seq INTEGER NOT NULL,
  job INTEGER NOT NULL,
  first_job_seq INTEGER NOT NULL,
  last_job_seq INTEGER NOT NULL,
  PRIMARY KEY (session, first_event_seq)
) WITHOUT ROWID;

CREATE TABLE follows (
  session INTEGER NOT NULL,
  job INTEGER NOT NULL,
  -- As far as freed segments tell: what remains of them may reach further.
  cursor INTEGER NOT NULL,
  may_cancel INTEGER NOT NULL,
  -- Segments up to this event_seq belong to an earlier follow of the job.
  since INTEGER NOT NULL,
  PRIMARY KEY (session, job)
) WITHOUT ROWID;

CREATE TABLE commands (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  root INTEGER NOT NULL,
  job INTEGER NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  outcome TEXT
);
CREATE INDEX commands_open ON commands (key) WHERE outcome IS NULL;
`;

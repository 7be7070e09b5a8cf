-- A database as the first version of the schema left it when its process was killed: two jobs had ended, two were running.
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
CREATE INDEX jobs_of_principal ON jobs (principal);
CREATE INDEX jobs_unfinished ON jobs (root) WHERE status = 'pending' OR status = 'running' OR status = 'ending';
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
INSERT INTO jobs (key, id, root, parent, epoch, owner, principal, session, agent, version, trace_id, created_at, deadline_at, expires_at, submission, status, attempt, started_at, ended_at, outcome) VALUES (1, 'job_01M7Z2EZ7ZBGEA97S8GBFFFS7D', 1, NULL, 1, NULL, 'default/ada', 'sess_01M7Z2EZ7SKG8K7RVXBY5BTPCT', 'echo', '1.0.0', '1e072c1fda2e958a47f2c41753a9db9e', 1795265363198, NULL, 2082758400000, '{"input":{"text":"fuchs 🦊"},"lease":{"grants":{"tool.call":["search"],"cost.budget":["USD:5.00"]},"expiresAt":2082758400000,"expiresAtText":"2036-01-01T00:00:00Z","budget":{"USD":"5"}}}', 'success', 1, 1795265363200, 1795265363202, NULL);
INSERT INTO jobs (key, id, root, parent, epoch, owner, principal, session, agent, version, trace_id, created_at, deadline_at, expires_at, submission, status, attempt, started_at, ended_at, outcome) VALUES (2, 'job_01M7Z2EZ88YGRMNRWGESY6GSTF', 2, NULL, 1, NULL, 'default/ada', 'sess_01M7Z2EZ7SKG8K7RVXBY5BTPCT', 'once', '1.0.0', 'ab67fed3c4b93bd36b7869d5ba68a22d', 1795265363208, NULL, NULL, '{"input":null,"lease":null}', 'running', 1, 1795265363208, NULL, NULL);
INSERT INTO jobs (key, id, root, parent, epoch, owner, principal, session, agent, version, trace_id, created_at, deadline_at, expires_at, submission, status, attempt, started_at, ended_at, outcome) VALUES (3, 'job_01M7Z2EZ8DSN8VAB352R7Q4V7S', 3, NULL, 1, NULL, 'default/ada', 'sess_01M7Z2EZ7SKG8K7RVXBY5BTPCT', 'again', '1.0.0', 'c739fad4db5539e56b2265102d303ba3', 1795265363213, 2110625363213, NULL, '{"input":[1,2],"lease":{"grants":{"tool.call":["*"]},"expiresAt":null,"expiresAtText":null,"budget":null},"maxRuntimeSec":315360000}', 'running', 1, 1795265363213, NULL, NULL);
INSERT INTO jobs (key, id, root, parent, epoch, owner, principal, session, agent, version, trace_id, created_at, deadline_at, expires_at, submission, status, attempt, started_at, ended_at, outcome) VALUES (4, 'job_01M7Z2EZ8JHF8VGGBJJ046H89J', 4, NULL, 1, NULL, 'default/ada', 'sess_01M7Z2EZ7SKG8K7RVXBY5BTPCT', 'echo', '1.0.0', '978d714d0b598d5d91e3a0562fb8c3eb', 1795265363218, NULL, NULL, '{"input":4,"lease":null}', 'success', 1, 1795265363218, 1795265363219, NULL);
INSERT INTO chunks (id, kinds, payloads) VALUES (268435457, 'lR', '{"kind":"log","ts":"2026-11-21T12:49:23.202Z","job_seq":1,"body":{"level":"info","message":"echoing"}}
{"job_id":"job_01M7Z2EZ7ZBGEA97S8GBFFFS7D","final_status":"success","completed_at":"2026-11-21T12:49:23.202Z","job_seq":2,"result":{"text":"fuchs 🦊"}}');
INSERT INTO chunks (id, kinds, payloads) VALUES (536870913, 'l', '{"kind":"log","ts":"2026-11-21T12:49:23.209Z","job_seq":1,"body":{"level":"info","message":"begun"}}');
INSERT INTO chunks (id, kinds, payloads) VALUES (805306369, 'cl', '{"kind":"tool_call","ts":"2026-11-21T12:49:23.216Z","job_seq":1,"body":{"tool":"search","args":{"q":"é"},"call_id":"call_01M7Z2EZ8GSR08FVGZ6RBK64Q0"}}
{"kind":"log","ts":"2026-11-21T12:49:23.216Z","job_seq":2,"body":{"level":"info","message":"attempt 1"}}');
INSERT INTO chunks (id, kinds, payloads) VALUES (1073741825, 'lR', '{"kind":"log","ts":"2026-11-21T12:49:23.219Z","job_seq":1,"body":{"level":"info","message":"echoing"}}
{"job_id":"job_01M7Z2EZ8JHF8VGGBJJ046H89J","final_status":"success","completed_at":"2026-11-21T12:49:23.219Z","job_seq":2,"result":4}');
INSERT INTO idempotency (principal, key, digest, job) VALUES ('default/ada', 'key-1', 'db6228ee97848a488666a242498ef2455777fdf4b5ab360fd365002f6d4254f9', 1);
INSERT INTO idempotency (principal, key, digest, job) VALUES ('default/ada', 'key-3', 'a7f45e8dfe25d771a20b84b999946b950e1c6c471e448489e74692234810535e', 3);
INSERT INTO steps (job, name, value) VALUES (3, 'begin', '1');
INSERT INTO sessions (key, id, principal, features, created_at, newest_token, presented_token, released) VALUES (1, 'sess_01M7Z2EZ7SKG8K7RVXBY5BTPCT', 'default/ada', 'ack list_jobs subscribe lease_expires_at cost.budget progress result_chunk agent_versions', 1795265363193, '869efe8347fd9f4b6a4da2f5ab7a4bfdf92e1ad3c6ee18d277e2c06114b2da34', NULL, 0);
INSERT INTO segments (session, first_event_seq, last_event_seq, job, first_job_seq, last_job_seq) VALUES (1, 1, 2, 1, 1, 2);
INSERT INTO segments (session, first_event_seq, last_event_seq, job, first_job_seq, last_job_seq) VALUES (1, 3, 3, 2, 1, 1);
INSERT INTO segments (session, first_event_seq, last_event_seq, job, first_job_seq, last_job_seq) VALUES (1, 4, 5, 3, 1, 2);
INSERT INTO segments (session, first_event_seq, last_event_seq, job, first_job_seq, last_job_seq) VALUES (1, 6, 7, 4, 1, 2);
INSERT INTO follows (session, job, cursor, may_cancel, since) VALUES (1, 1, 0, 1, 0);
INSERT INTO follows (session, job, cursor, may_cancel, since) VALUES (1, 2, 0, 1, 2);
INSERT INTO follows (session, job, cursor, may_cancel, since) VALUES (1, 3, 0, 1, 3);
INSERT INTO follows (session, job, cursor, may_cancel, since) VALUES (1, 4, 0, 1, 5);
PRAGMA user_version = 1;

/** The kernel's use cases as the faces call them. */
import type { JobRecord } from "./job/job-record.ts";
import type { Contribution, Contributor } from "./log/contributor.ts";
import type { Chunk, ChunkQuery, JobId, JobQuery, SessionId } from "./ports.ts";
import type { Principal } from "./principal.ts";
export type { Contribution, Contributor, Chunk, ChunkQuery, JobId, JobQuery, SessionId, Principal, JobRecord };

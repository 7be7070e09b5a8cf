/**
 * Puts one artifact after the other on the data directory it is given, and prints each one's id once it is committed.
 * Goes on until it is killed.
 */
import { join } from "node:path";
import { createSystemWorld } from "../../src/platform/system-world.ts";
import { createFileArtifacts } from "../../src/stores/artifacts/file-artifacts.ts";
import { aJob } from "../../src/stores/contract/rows.ts";
import { openSqliteStore } from "../../src/stores/sqlite/sqlite-store.ts";

const [data = ""] = process.argv.slice(2);
const { ids, clock } = createSystemWorld();
const store = await openSqliteStore({ directory: data });
const artifacts = createFileArtifacts(join(data, "artifacts"), ids);
const job = ids.next("job");
await store.commit({ claims: [], rows: { jobs: [aJob(job)] } });

async function* content(nth: number): AsyncGenerator<Uint8Array, void, void> {
  for (let piece = 0; piece < 3; piece++) yield Buffer.alloc(20_000, `${job} ${nth} ${piece}`);
}

for (let nth = 0; ; nth++) {
  // Every third one has the content of the one before.
  const kept = await artifacts.put(content(nth - (nth % 3 === 2 ? 1 : 0)));
  const { sha256, size } = kept;
  const id = ids.next("art");
  const row = { id, job, name: null, contentType: "text/plain", size, sha256, createdAt: clock.now() };
  await store.commit({ claims: [], rows: { artifacts: [row] } });
  kept.release();
  process.stdout.write(`${id}\n`);
}

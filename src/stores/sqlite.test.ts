import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "./sqlite/sqlite-store.ts";
import { describeStore } from "./store-contract.ts";

describeStore("the SQLite store", async () => {
  const directory = mkdtempSync(join(tmpdir(), "leasehold-store-"));
  let store = await openSqliteStore({ directory });
  return {
    store,
    async reopen() {
      await store.close();
      store = await openSqliteStore({ directory });
      return store;
    },
    async dispose() {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
});

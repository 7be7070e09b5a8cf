/** Nodes of this machine on which the installed command can only say that it needs another. */
import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";

/** Folders of the PATH with a `node` that is too old to run Leasehold; often there is none. */
export function findOldNodes(): readonly string[] {
  return (process.env.PATH ?? "").split(delimiter).filter((folder) => {
    const version = spawnSync(join(folder, "node"), ["--version"], { encoding: "utf8" }).stdout?.trim();
    return version && Number.parseInt(version.slice(1), 10) < 24;
  });
}

/** Cuts a listing into parts that one job each can read, by top folder. */

/** Files of one part: a part's progress is that of the whole report. */
const PART_FILES = 250;
/** Top folders beyond are taken together: a job tree has at most 1,000 jobs. */
const MAX_FOLDERS = 400;
/** How the files that are in no folder are called in the report. */
const TOP_LEVEL = "(top level)";
const OTHERS = "(other folders)";

export interface Part {
  /** The top folder, as the report calls it. */
  readonly folder: string;
  /** What a lease has to cover for these files to be read. */
  readonly pattern: string;
  /** Relative to the root. */
  readonly files: readonly string[];
}

/** @param files relative to `root`, sorted. */
export function cutIntoParts(root: string, files: readonly string[]): readonly Part[] {
  const base = root === "/" ? "" : root;
  const byFolder = [...Map.groupBy(files, (file) => /^[^/]+(?=\/)/.exec(file)?.[0])];
  const own = byFolder
    .slice(0, MAX_FOLDERS)
    .flatMap(([folder, inside]) =>
      folder === undefined
        ? cut({ folder: TOP_LEVEL, pattern: `${base}/*`, files: inside })
        : cut({ folder, pattern: `${base}/${folder}/**`, files: inside }),
    );
  const others = byFolder.slice(MAX_FOLDERS).flatMap(([, inside]) => inside);
  return [...own, ...cut({ folder: OTHERS, pattern: `${base}/**`, files: others })];
}

function cut({ files, ...part }: Part): readonly Part[] {
  const count = Math.ceil(files.length / PART_FILES);
  return Array.from({ length: count }, (_, index) => ({
    ...part,
    files: files.slice(index * PART_FILES, (index + 1) * PART_FILES),
  }));
}

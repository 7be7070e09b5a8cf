/**
 * `repo-report`: reads a directory and streams a Markdown report on it: languages, largest files, notes left in the
 * code, declared dependencies. One recorded step per top folder, so that a job whose runtime was killed goes on where it
 * was, and does not read those folders again.
 */
import { realpath } from "node:fs/promises";
import { basename } from "node:path";
import { AgentError, defineAgent } from "leasehold";
import * as v from "valibot";
import { readManifests } from "./dependencies.ts";
import { type FolderReport, mergeReports, reportOn } from "./folder-report.ts";
import { renderReport, summarise } from "./markdown.ts";
import { type Listing, listFiles } from "./walk.ts";

const Input = v.strictObject({
  /** The directory to report on, relative to where the runtime was started. */
  path: v.pipe(v.string(), v.nonEmpty("must name a directory")),
  /** Files read at most. */
  maxFiles: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000)), 100_000),
});

/** Progress events for a whole job, about. */
const PROGRESS_EVENTS = 200;
/** How the files that are in no folder are called in the report. */
const TOP_LEVEL = "(top level)";

export const repoReport = defineAgent({
  name: "repo-report",
  version: "1.0.0",
  restart: "always",
  input: Input,
  needs: { "fs.read": "the directory to report on" },
  async run(ctx, { path, maxFiles }) {
    await ctx.status("listing", path);
    const root = await realpath(path).catch((cause: unknown) => fail(path, cause));
    const listing = await listFiles(root, maxFiles, ctx.signal).catch((cause: unknown) => {
      ctx.signal.throwIfAborted();
      return fail(path, cause);
    });
    const total = listing.files.length;
    await ctx.log(`${total} files to read in ${root}`);

    await ctx.status("reading");
    const stride = Math.max(1, Math.floor(total / PROGRESS_EVENTS));
    const folders: { name: string; report: FolderReport }[] = [];
    let done = 0;
    for (const [name, files] of byTopFolder(listing)) {
      const before = done;
      const report = await ctx.step(`folder:${name}`, ({ signal }) =>
        reportOn(root, files, signal, async () => {
          done += 1;
          if (done % stride === 0) await ctx.progress({ current: done, total, units: "files", message: name });
        }),
      );
      // Of a folder an earlier attempt has read, nothing was counted just now.
      done = before + files.length;
      folders.push({ name, report });
      await ctx.metric({ name: "repo.lines", value: report.lines, unit: "lines", dimensions: { folder: name } });
    }
    await ctx.progress({ current: done, total, units: "files", message: "all read" });
    const manifests = await ctx.step("dependencies", ({ signal }) => readManifests(root, listing.files, signal));

    await ctx.status("writing");
    const sum = mergeReports(folders.map(({ report }) => report));
    await ctx.metric({ name: "repo.files", value: sum.files, unit: "files" });
    const result = ctx.streamResult();
    const { unreadable: unreadableFolders, truncated } = listing;
    for (const section of renderReport({
      title: basename(root),
      total: sum,
      folders,
      manifests,
      unreadableFolders,
      truncated,
    })) {
      await result.write(section);
    }
    return result.end({ summary: summarise(sum) });
  },
});

function byTopFolder({ files }: Listing): ReadonlyMap<string, readonly string[]> {
  return Map.groupBy(files, (file) => (file.includes("/") ? file.slice(0, file.indexOf("/")) : TOP_LEVEL));
}

function fail(path: string, cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new AgentError({
    code: "INVALID_REQUEST",
    message: `cannot report on ${path}: ${reason}`,
    details: { field: "input.path" },
    cause,
  });
}

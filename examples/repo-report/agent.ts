/**
 * `repo-report`: lists a directory, has the agent `repo-report-folder` read what is in its folders, and streams a Markdown
 * report: languages, largest files, notes left in the code, declared dependencies. It needs a lease for the directory and
 * credits for its files; each delegation gets one folder of it, and the money for the files there. A job whose runtime was
 * killed goes on where it was: folders that were read are not read, or paid for, again.
 */
import { realpathSync } from "node:fs";
import { basename, resolve } from "node:path";
import { type AgentContext, AgentError, defineAgent } from "leasehold";
import * as v from "valibot";
import { repoReportFolder } from "./folder-agent.ts";
import { type FolderReport, mergeReports } from "./folder-report.ts";
import { renderReport, summarise } from "./markdown.ts";
import { cutIntoParts, type Part } from "./parts.ts";
import { filesFor, priceOf } from "./price.ts";
import { isOver } from "./refusal.ts";
import { listFiles } from "./walk.ts";

// A file's exports are its agents.
export { repoReportFolder };

const Input = v.strictObject({
  /** The directory to report on, relative to where the runtime was started. */
  path: v.pipe(v.string(), v.nonEmpty("must name a directory"), v.transform(toPlace)),
  /** Files read at most. */
  maxFiles: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100_000)), 100_000),
});

/** Parts that are read at a time. */
const CONCURRENCY = 4;

export const repoReport = defineAgent({
  name: "repo-report",
  version: "2.0.0",
  restart: "always",
  input: Input,
  needs: {
    "fs.read": { why: "the directory to report on", patterns: ({ path }) => [path === "/" ? "/**" : `${path}/**`] },
    "agent.delegate": { why: "its folders are read by jobs of their own", patterns: [repoReportFolder.name] },
    "cost.budget": { why: "0.001 credits for each file", patterns: ({ maxFiles }) => [`credits:${priceOf(maxFiles)}`] },
  },
  async run(ctx, { path: root, maxFiles }) {
    await ctx.status("listing", root);
    const { granted } = ctx.budget.counters().credits ?? {};
    const affordable = granted === undefined ? maxFiles : filesFor(granted);
    const listing = await listFiles(ctx.fs, root, Math.min(maxFiles, affordable)).catch((cause: unknown) => {
      ctx.signal.throwIfAborted();
      throw isOver(cause) ? cause : unusable(root, cause);
    });
    const total = listing.files.length;
    await ctx.log(`${total} files to read in ${root}, for ${priceOf(total)} credits`);

    await ctx.status("reading");
    const parts = cutIntoParts(root, listing.files);
    const reports: FolderReport[] = new Array(parts.length);
    let next = 0;
    let done = 0;
    async function work(): Promise<void> {
      while (next < parts.length) {
        const index = next++;
        const part = parts[index] as Part;
        reports[index] = await readPart(ctx, root, part);
        done += part.files.length;
        await ctx.progress({ current: done, total, units: "files", message: part.folder });
      }
    }
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, parts.length) }, work));

    await ctx.status("writing");
    const folders = [...Map.groupBy(parts.keys(), (index) => parts[index]?.folder as string)].map(
      ([name, indexes]) => ({
        name,
        report: mergeReports(indexes.map((index) => reports[index] as FolderReport)),
      }),
    );
    for (const { name, report } of folders) {
      await ctx.metric({ name: "repo.lines", value: report.lines, unit: "lines", dimensions: { folder: name } });
    }
    const sum = mergeReports(reports);
    await ctx.metric({ name: "repo.files", value: sum.files, unit: "files" });
    const result = ctx.streamResult();
    for (const section of renderReport({
      title: basename(root),
      total: sum,
      folders,
      unreadableFolders: listing.unreadable,
      bound: !listing.truncated ? undefined : affordable < maxFiles ? "credits" : "maxFiles",
    })) {
      await result.write(section);
    }
    return result.end({ summary: summarise(sum) });
  },
});

/**
 * Asked for again by a later attempt, this is the same delegation: its child is found, running or done. A later attempt that
 * finds other files in the directory asks for something else, and the child of the earlier one is stopped.
 */
async function readPart({ delegate }: AgentContext, root: string, { pattern, files }: Part): Promise<FolderReport> {
  const child = await delegate(
    repoReportFolder,
    { root, files: [...files] },
    { lease: { "fs.read": [pattern] }, budget: { credits: priceOf(files.length) } },
  );
  return await child.result();
}

/** Where a path leads once links are followed: leases name places. One that leads nowhere is refused when it is listed. */
function toPlace(path: string): string {
  const place = resolve(path);
  try {
    return realpathSync(place);
  } catch {
    return place;
  }
}

function unusable(path: string, cause: unknown): AgentError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const denied = cause instanceof Error && "code" in cause && cause.code === "PERMISSION_DENIED";
  return new AgentError({
    code: denied ? "PERMISSION_DENIED" : "INVALID_REQUEST",
    message: `cannot report on ${path}: ${reason}`,
    details: { field: "input.path" },
    cause,
  });
}

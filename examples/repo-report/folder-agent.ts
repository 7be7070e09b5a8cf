/**
 * `repo-report-folder`: reads files of one folder for `repo-report`, under a lease that covers that folder and with credits
 * for just these files. It pays for a batch when that has been read: once, however often the runtime is killed meanwhile,
 * since the money is set aside under the batch's own name, and what was read is recorded as a step.
 */
import { defineAgent } from "leasehold";
import * as v from "valibot";
import { mergeReports, reportOn } from "./folder-report.ts";
import { priceOf } from "./price.ts";

/** Files read between two progress events. */
const BATCH = 50;

const Input = v.strictObject({
  /** The directory that the report is about; absolute, without symbolic links. */
  root: v.pipe(v.string(), v.startsWith("/")),
  /** The files to read, relative to it. */
  files: v.array(v.string()),
});

export const repoReportFolder = defineAgent({
  name: "repo-report-folder",
  version: "1.0.0",
  restart: "always",
  input: Input,
  needs: {
    "fs.read": { why: "the folder to read", patterns: ({ root }) => [`${root}/**`] },
    "cost.budget": { why: "what the files cost", patterns: ({ files }) => [`credits:${priceOf(files.length)}`] },
  },
  async run(ctx, { root, files }) {
    const reports = [];
    for (let from = 0; from < files.length; from += BATCH) {
      const batch = files.slice(from, from + BATCH);
      const name = `batch ${from / BATCH + 1}`;
      await using payment = await ctx.budget.reserve({ credits: priceOf(batch.length) }, { key: name });
      const report = await ctx.step(name, () => reportOn(ctx, root, batch));
      await payment.commit({ credits: priceOf(report.files - report.unreadable) }, { name: "cost.read" });
      await ctx.progress({ current: from + batch.length, total: files.length, units: "files" });
      reports.push(report);
    }
    return mergeReports(reports);
  },
});

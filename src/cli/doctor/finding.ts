/** What a check of `leasehold doctor` comes to. */

export type FindingStatus = "ok" | "warn" | "fail" | "skip";

export interface Finding {
  /** What was looked at, such as `data directory`. */
  readonly check: string;
  /** `skip`: there was nothing to look at. */
  readonly status: FindingStatus;
  readonly message: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** Makes the findings of one check. */
export function findingsOf(check: string) {
  const finding =
    (status: FindingStatus) =>
    (message: string, remedy?: string): Finding => ({
      check,
      status,
      message,
      ...(remedy === undefined ? {} : { remedy }),
    });
  return { ok: finding("ok"), warn: finding("warn"), fail: finding("fail"), skip: finding("skip") };
}

export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

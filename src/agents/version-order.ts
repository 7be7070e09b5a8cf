/** Which of several versions of an agent a bare name means. ARCP leaves the order to the runtime (§7.5). */

interface Version {
  readonly numbers: readonly number[];
  /** Empty for a release. */
  readonly prerelease: readonly string[];
}

/** `1`, `1.2`, `v1.2.3`, `1.2.3-rc.1`, each with `+build`, which does not count. */
const VERSION = /^v?(\d{1,15}(?:\.\d{1,15})*)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/;

function parse(text: string): Version | undefined {
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  return { numbers: (match[1] as string).split(".").map(Number), prerelease: match[2]?.split(".") ?? [] };
}

/**
 * Semantic versioning's order, for any number of numbers: negative when `left` is lower, positive when higher, 0 when
 * they are equal but for the build. Undefined when one of them is not of that form.
 */
export function compareVersions(left: string, right: string): number | undefined {
  const a = parse(left);
  const b = parse(right);
  if (a === undefined || b === undefined) return undefined;
  for (let index = 0; index < Math.max(a.numbers.length, b.numbers.length); index++) {
    const difference = (a.numbers[index] ?? 0) - (b.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return comparePrereleases(a.prerelease, b.prerelease);
}

function comparePrereleases(a: readonly string[], b: readonly string[]): number {
  // A release is higher than what was released on the way to it.
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const left = a[index];
    const right = b[index];
    if (left === undefined || right === undefined) return left === right ? 0 : left === undefined ? -1 : 1;
    const difference = compareIdentifiers(left, right);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareIdentifiers(left: string, right: string): number {
  const leftNumeric = /^\d+$/.test(left);
  const rightNumeric = /^\d+$/.test(right);
  if (leftNumeric && rightNumeric) return Number(left) - Number(right);
  if (leftNumeric !== rightNumeric) return leftNumeric ? -1 : 1;
  return left === right ? 0 : left < right ? -1 : 1;
}

/**
 * The default of the versions registered under one name, in order of registration: the highest, where a pre-release
 * counts only if nothing else is there; of two that cannot be compared, or are equal, the one registered later.
 * @param versions at least one.
 */
export function defaultVersion(versions: readonly string[]): string {
  const releases = versions.filter((version) => (parse(version)?.prerelease ?? []).length === 0);
  const candidates = releases.length > 0 ? releases : versions;
  return candidates.reduce((best, next) => ((compareVersions(next, best) ?? 0) < 0 ? best : next));
}

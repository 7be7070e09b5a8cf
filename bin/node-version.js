/** Which Node the installed command needs. In syntax that Node 12 can read, so that it can say so. */

const NEEDED = 24;

/** One line saying why this Node will not do, or undefined when it will. @param {string} version as `v24.1.0` */
export function refuseVersion(version) {
  const major = Number.parseInt(version.replace("v", ""), 10);
  return major >= NEEDED ? undefined : `leasehold needs Node ${NEEDED} or newer; this is ${version}`;
}

/** Whether a warning is Node's own remark that `node:sqlite` is experimental, which early releases of Node 24 make. */
export function isSqliteRemark(warning, type) {
  return type === "ExperimentalWarning" && String(warning).startsWith("SQLite is an experimental feature");
}

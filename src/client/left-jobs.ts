/** Jobs that this session stopped following. The runtime may not have heard of it, so a new subscription begins anew. */

/** How many are remembered; of one that is forgotten the runtime may go on where it thinks the session is. */
const MAX_LEFT = 10_000;

export class LeftJobs {
  readonly #ids = new Set<string>();

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(id: string): void {
    this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size <= MAX_LEFT) return;
    const [oldest] = this.#ids;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  delete(id: string): void {
    this.#ids.delete(id);
  }

  clear(): void {
    this.#ids.clear();
  }
}

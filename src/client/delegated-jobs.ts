/**
 * What a job has delegated (§10): its children in the order in which its log tells of them, each with its handle once
 * there is one. Where the runtime brings children by itself (`x-leasehold.delegation`), the handle comes with the child's
 * `job.accepted`, behind the event that tells of it; elsewhere a child is subscribed to when somebody reads on to it.
 */
import { abortable, handledIterator } from "./handed-out.ts";
import type { Job } from "./job.ts";

/** Children of one job that are told of; further ones are passed over. */
const MAX_CHILDREN = 10_000;

export interface ChildSource {
  /** Whether the runtime brings the handle of a child by itself. */
  bringsChildren(): boolean;
  /** Follows a child from its first event. */
  follow(child: string, signal: AbortSignal | undefined): Promise<Job>;
}

export class DelegatedJobs {
  readonly #source: ChildSource;
  readonly #order: string[] = [];
  readonly #handles = new Map<string, Job>();
  /** Children whose handle is kept no more: whoever reads on to one subscribes to it. */
  readonly #forgotten = new Set<string>();
  #end: { readonly failure: Error | undefined } | undefined;
  /** Settles at the next change; made when somebody waits. */
  #change: PromiseWithResolvers<void> | undefined;

  constructor(source: ChildSource) {
    this.#source = source;
  }

  /** Children that have a handle, in the order of their delegation. */
  get known(): readonly Job[] {
    return this.#order.flatMap((id) => this.#handles.get(id) ?? []);
  }

  /** The job's log tells of a child. */
  tell(id: string): void {
    if (this.#order.length >= MAX_CHILDREN || this.#order.includes(id)) return;
    this.#order.push(id);
    this.#announce();
  }

  add(child: Job): void {
    this.tell(child.id);
    this.#handles.set(child.id, child);
    this.#announce();
  }

  /** The handle of a child that has ended is kept no more. */
  forget(id: string): void {
    if (this.#handles.delete(id)) this.#forgotten.add(id);
  }

  /** No more will come: readers end, or get `failure`. */
  end(failure?: Error): void {
    this.#end ??= { failure };
    this.#announce();
  }

  open(signal: AbortSignal | undefined): AsyncIterableIterator<Job> {
    return handledIterator(this.#read(signal));
  }

  async *#read(signal: AbortSignal | undefined): AsyncGenerator<Job, void, void> {
    for (let index = 0; ; index++) {
      signal?.throwIfAborted();
      for (let id = this.#order[index]; id === undefined; id = this.#order[index]) {
        if (this.#end?.failure !== undefined) throw this.#end.failure;
        if (this.#end !== undefined) return;
        await abortable(this.#changed(), signal);
      }
      yield await this.#childAt(index, signal);
    }
  }

  async #childAt(index: number, signal: AbortSignal | undefined): Promise<Job> {
    const id = this.#order[index] ?? "";
    for (;;) {
      const known = this.#handles.get(id);
      if (known !== undefined) return known;
      const comes = this.#source.bringsChildren() && !this.#forgotten.has(id);
      if (this.#end !== undefined || !comes) break;
      await abortable(this.#changed(), signal);
    }
    const child = await this.#source.follow(id, signal);
    // One that had to be forgotten would have to be again.
    if (!this.#forgotten.has(id)) this.add(child);
    return child;
  }

  #changed(): Promise<void> {
    this.#change ??= Promise.withResolvers();
    return this.#change.promise;
  }

  #announce(): void {
    this.#change?.resolve();
    this.#change = undefined;
  }
}

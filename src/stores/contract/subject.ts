/** The store under test, a new one for each test, and the few steps all contract tests share. */
import { expect } from "vitest";
import type { SessionId } from "../../kernel/ids.ts";
import type { CommitOutcome, Follow, Rows, Store } from "../../kernel/ports.ts";

export interface OpenedStore {
  readonly store: Store;
  /** Closes the store and opens what it kept. */
  reopen(): Promise<Store>;
  /** Closes whatever is open and removes what it left behind. */
  dispose(): Promise<void>;
}

export const COMMITTED: CommitOutcome = { committed: true };

export class Subject {
  #opened: OpenedStore | undefined;

  take(opened: OpenedStore): void {
    this.#opened = opened;
  }

  get store(): Store {
    return this.#required().store;
  }

  reopen(): Promise<Store> {
    return this.#required().reopen();
  }

  async dispose(): Promise<void> {
    await this.#opened?.dispose();
    this.#opened = undefined;
  }

  /** Commits rows of trees that this test does not fence. */
  async put(rows: Partial<Rows>): Promise<void> {
    expect(await this.store.commit({ claims: [], rows })).toEqual(COMMITTED);
  }

  async rejects(rows: Partial<Rows>): Promise<void> {
    await expect(this.store.commit({ claims: [], rows })).rejects.toThrow();
  }

  /** The follows of a session in the order of their jobs, since a store promises no order. */
  async followsOf(session: SessionId): Promise<readonly Follow[]> {
    const follows = (await this.store.readSession(session))?.follows ?? [];
    return follows.toSorted((a, b) => (a.job < b.job ? -1 : 1));
  }

  #required(): OpenedStore {
    if (this.#opened === undefined) throw new Error("no store is open");
    return this.#opened;
  }
}

/** Changes to maps and lists that can be taken back: what makes a commit to the memory store atomic. */

export class Undo {
  readonly #steps: (() => void)[] = [];

  put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
    const previous = map.get(key);
    this.#steps.push(previous === undefined ? () => void map.delete(key) : () => void map.set(key, previous));
    map.set(key, value);
  }

  remove<Key, Value>(map: Map<Key, Value>, key: Key): void {
    const previous = map.get(key);
    if (previous === undefined) return;
    const order = [...map.keys()];
    this.#steps.push(() => {
      // Back to its place, and not to the end: the order of a map is the order of what it lists.
      const rows = order.map((each) => [each, each === key ? previous : (map.get(each) as Value)] as const);
      map.clear();
      for (const [each, row] of rows) map.set(each, row);
    });
    map.delete(key);
  }

  append<Key, Row>(lists: Map<Key, Row[]>, key: Key, row: Row): void {
    const list = lists.get(key);
    if (list === undefined) return this.put(lists, key, [row]);
    this.#steps.push(() => void list.pop());
    list.push(row);
  }

  /** Takes back everything, the latest first. */
  rollback(): void {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) step();
  }
}

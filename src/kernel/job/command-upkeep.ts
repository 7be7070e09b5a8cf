/** Looks for commands of other nodes now and then, since being woken is a hint; and removes them once they are old. */
import type { Log } from "../../platform/log.ts";
import type { Timer, World } from "../../platform/world.ts";
import type { Store } from "../ports.ts";

/** How long a command of another node waits at most when nobody was woken. */
const POLL_MS = 5_000;
/** How long a command and its outcome are kept: far longer than anybody waits for an answer. */
const KEPT_MS = 3_600_000;
const REMOVED_AT_ONCE = 1_000;

export class CommandUpkeep {
  readonly #store: Pick<Store, "removeCommands">;
  readonly #world: World;
  readonly #log: Log;
  readonly #runCommands: () => void;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: { store: Pick<Store, "removeCommands">; world: World; log: Log; runCommands: () => void }) {
    this.#store = options.store;
    this.#world = options.world;
    this.#log = options.log;
    this.#runCommands = options.runCommands;
  }

  start(): void {
    if (this.#closed) return;
    this.#timer = this.#world.timers.after(POLL_MS, () => {
      this.#runCommands();
      this.#store.removeCommands(this.#world.clock.now() - KEPT_MS, REMOVED_AT_ONCE).catch((error: unknown) => {
        if (!this.#closed) this.#log.warn({ err: error }, "old commands of other nodes could not be removed");
      });
      this.start();
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}

/** Lets a few pieces of work go on at a time. The others wait in the order in which they came, holding nothing. */
export class Turnstile {
  readonly #limit: number;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Runs `work` when there is room; settles as it does. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    // Whoever leaves hands its place on, so that nobody gets in between.
    if (this.#inside < this.#limit) this.#inside++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#inside--;
      else next();
    }
  }
}

/**
 * What everybody in a run shares: the fake world, the ledger, the judge, and what clients have asked for. One seed, one
 * run.
 */
import type { AgentDefinition } from "../../src/agents/define-agent.ts";
import type { Principal } from "../../src/kernel/principal.ts";
import type { Timers } from "../../src/platform/world.ts";
import type { MemorySnapshot } from "../../src/stores/memory/memory-store.ts";
import { createFakeWorld, type FakeWorld } from "../../src/testing/fake-world.ts";
import { createAgents } from "./agents.ts";
import { Judge } from "./laws.ts";
import type { LeaseAsk } from "./leases.ts";
import { Ledger } from "./ledger.ts";
import { Life, type Sabotage } from "./life.ts";
import { LiveMoney } from "./live-money.ts";
import { type Plan, readPlan } from "./plan.ts";
import { type Frame, placeOf } from "./session-record.ts";

const TENANT = "sim";
export const PRINCIPALS = ["ada", "bob"] as const;

/** Something a client asked for once; with a key it may ask again. */
export interface Ask {
  readonly principal: string;
  readonly agent: string;
  readonly plan: Plan;
  readonly lease?: LeaseAsk;
  readonly key?: string;
  /** The job it became, as far as a client was told. */
  job?: string;
  refused: boolean;
}

const STEP_MS = 5;
const PATIENCE_MS = 20_000;

export class Stage {
  readonly world: FakeWorld;
  readonly judge = new Judge();
  readonly ledger: Ledger;
  readonly money: LiveMoney;
  readonly asks: Ask[] = [];
  /** Contents of artifacts, by digest: the disk that every life writes to. */
  readonly contents = new Map<string, Buffer>();
  /** Jobs of which a client was told that they are cancelled. */
  readonly cancelled = new Set<string>();
  /** Hears of every frame that a client sends or gets. */
  readonly onFrame: ((line: string) => void) | undefined;
  readonly #sabotage: Sabotage;
  #life: Life | undefined;
  events = 0;
  crashes = 0;

  constructor(options: { seed: number; sabotage?: Sabotage; onFrame?: (line: string) => void }) {
    this.world = createFakeWorld({ seed: options.seed });
    this.ledger = new Ledger(this.judge, () => this.world.clock.now());
    this.money = new LiveMoney(this.ledger.accounts);
    this.#sabotage = options.sabotage ?? {};
    this.onFrame = options.onFrame;
  }

  get life(): Life {
    if (this.#life === undefined) throw new Error("no runtime is up");
    return this.#life;
  }

  draw(below: number): number {
    return this.world.drawInt(below);
  }

  chance(probability: number): boolean {
    return this.world.draw() < probability;
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.draw(items.length)];
  }

  /** Starts a runtime on what an earlier one left. */
  async boot(image?: MemorySnapshot): Promise<void> {
    // No process starts in the very millisecond in which the one before it ended.
    await this.world.advance(1);
    const life = new Life({
      world: this.world,
      ledger: this.ledger,
      image,
      contents: this.contents,
      sabotage: this.#sabotage,
      agents: (timers: Timers): readonly AgentDefinition[] =>
        createAgents({
          timers,
          ledger: this.ledger,
          money: this.money,
          judge: this.judge,
          now: () => this.world.clock.now(),
          tamper: this.#sabotage.context,
        }),
      authenticate: (token): Principal | undefined =>
        token === undefined ? undefined : { id: token, tenant: TENANT, roles: ["user"] },
      onSend: (frame) => this.#checkSent(frame),
    });
    this.#life = life;
    const principals = PRINCIPALS.map((id) => `${TENANT}/${id}`);
    await this.ledger.compareWith(life.bareStore, principals);
    await this.until(life.start());
  }

  /** The process dies, and another takes its place. */
  async crash(): Promise<void> {
    this.crashes++;
    const image = await this.life.crash(() => this.chance(0.5));
    this.money.clear();
    await this.boot(image);
  }

  /** The runtime is closed and started again. */
  async restart(): Promise<void> {
    await this.shutDown();
    if (this.life.doomed) await this.crash();
    else {
      this.money.clear();
      await this.boot(this.life.end());
    }
  }

  /** Closes the runtime, and looks whether it has let go of everything. */
  async shutDown(): Promise<void> {
    await this.until(this.life.close());
    if (this.life.doomed) return;
    // A peer may take its time to answer the close.
    await this.world.advance(PATIENCE_MS / 4);
    const { pendingTimers } = this.life;
    if (pendingTimers > 0)
      this.judge.report("nothing-leaks", `${pendingTimers} timers are pending in a closed runtime`);
  }

  /** Lets time pass until `done` settles, or the runtime gives up. */
  async until(done: Promise<void>): Promise<void> {
    let settled = false;
    const watched = done.finally(() => {
      settled = true;
    });
    watched.catch(() => {});
    for (let waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
      if (settled) return watched;
      if (this.life.doomed) return;
      await this.world.advance(STEP_MS);
    }
    this.judge.report("starts-and-stops", `the runtime neither came up nor closed within ${PATIENCE_MS} ms`);
  }

  /** Who a job belongs to: the principal's id. */
  ownerOf(job: string): string | undefined {
    return this.ledger.owners.get(job)?.slice(TENANT.length + 1);
  }

  /** Whether two jobs came of one ask: told by what their inputs say. */
  checkOneJobPerAsk(): void {
    const jobs = new Map<string, string>();
    for (const [id, { input }] of this.ledger.jobs) {
      const { tag } = readPlan(JSON.parse(input));
      const other = jobs.get(tag);
      if (other !== undefined) this.judge.report("one-job-per-key", `${other} and ${id} both came of ${tag}`);
      jobs.set(tag, id);
    }
  }

  #checkSent(text: string): void {
    const frame = JSON.parse(text) as Frame;
    const { ledger, judge } = this;
    const session = frame.session_id ?? "";
    const placed = placeOf(frame, text);
    if (placed !== undefined) {
      this.events++;
      const isDurable = placed.onLog
        ? ledger.holds(session, placed.eventSeq, placed.job, placed.jobSeq, text)
        : ledger.frames.get(`${session} ${placed.eventSeq}`) === text;
      if (!isDurable) {
        judge.report("commit-then-publish", `${session}: sent before it was durable: ${text}`);
      }
    } else if (frame.type === "session.welcome" && !ledger.places.has(session)) {
      judge.report("commit-then-publish", `${session} was welcomed before it was durable`);
    } else if (frame.type === "job.accepted" && !ledger.jobs.has(frame.job_id ?? "")) {
      judge.report("commit-then-publish", `${frame.job_id} was accepted before it was durable`);
    } else if (frame.type === "job.subscribed") {
      const told = String(frame.payload.current_status);
      const record = ledger.jobs.get(frame.job_id ?? "")?.record;
      if (!["pending", "running", record?.status].includes(told)) {
        judge.report("commit-then-publish", `${frame.job_id} is called ${told} and is ${record?.status}`);
      }
    } else if (frame.type === "job.cancelled" && frame.payload.final_status === undefined) {
      const status = ledger.jobs.get(frame.job_id ?? "")?.record.status;
      if (status !== "cancelled")
        judge.report("commit-then-publish", `${frame.job_id} is called cancelled and is ${status}`);
    }
  }
}

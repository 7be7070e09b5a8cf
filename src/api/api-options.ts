/** What the API is given: by the composition root, or by a test. */
import type { Authenticator } from "../identity/authenticator.ts";
import type { Visibility } from "../identity/visibility.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Log } from "../platform/log.ts";
import type { World } from "../platform/world.ts";
import type { RequestRate } from "./request-rate.ts";

export interface ApiOptions {
  readonly kernel: Kernel;
  readonly authenticator: Authenticator;
  readonly visibility: Visibility;
  readonly world: World;
  readonly log: Log;
  readonly version: string;
  /** When the runtime started, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** How many requests each principal may make. */
  readonly requestRate: RequestRate;
  /** Sessions known in this process, with a connection or parked. */
  countSessions(): number;
  /** What the store holds, in bytes. */
  measureStore(): Promise<number>;
  /** Hears of every refusal, by the code of its error. */
  onRefused?(code: string): void;
}

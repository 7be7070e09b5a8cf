/** An interrupt as something to wait for. */
import type { CliIo, Interrupt } from "./io.ts";

export interface AwaitedInterrupt {
  /** Resolves at the first interrupt; never rejects. */
  readonly came: Promise<Interrupt>;
  stopListening(): void;
}

/** @param ignored interrupts that do not count. */
export function awaitInterrupt(io: CliIo, ignored: readonly Interrupt[] = []): AwaitedInterrupt {
  const { promise, resolve } = Promise.withResolvers<Interrupt>();
  const stopListening = io.onInterrupt((interrupt) => {
    if (!ignored.includes(interrupt)) resolve(interrupt);
  });
  return { came: promise, stopListening };
}

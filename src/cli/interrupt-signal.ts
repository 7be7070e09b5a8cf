/** The first interrupt of a command as an `AbortSignal`, so that everything it waits for can give up. */
import { CliError } from "./cli-error.ts";
import { EXIT } from "./exit-codes.ts";
import type { CliIo, Interrupt } from "./io.ts";

export interface InterruptSignal extends Disposable {
  /** Its reason is a `CliError` INTERRUPTED. */
  readonly signal: AbortSignal;
}

/** @param ignored interrupts that do not count. */
export function listenForInterrupt(io: CliIo, ignored: readonly Interrupt[] = []): InterruptSignal {
  const controller = new AbortController();
  const stopListening = io.onInterrupt((interrupt) => {
    if (ignored.includes(interrupt)) return;
    controller.abort(new CliError("INTERRUPTED", `stopped (${interrupt})`, { exitCode: EXIT.interrupted }));
  });
  return { signal: controller.signal, [Symbol.dispose]: stopListening };
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

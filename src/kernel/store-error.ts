/** How a store says that it could not do something. */

/**
 * A failed store operation. Nothing of the commit it belongs to was written, unless `fatal`: then the store cannot tell
 * what is on the disk (a failed fsync, a corrupt file), and the process must end and start again from what is there.
 */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly fatal: boolean;

  constructor(message: string, options: { fatal?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.fatal = options.fatal ?? false;
  }
}

/** What can go wrong with the token file. Branch on `code`; the message is for whoever ran the command. */

export type TokenFileErrorCode =
  /** The file cannot be read as a token file. Nobody is let in, and nothing is overwritten, until it is repaired. */
  | "corrupt"
  /** Another process kept the file locked for too long. */
  | "locked"
  /** A token of that name exists. */
  | "name_taken"
  /** A name, principal, tenant, role or expiry is not acceptable. */
  | "invalid";

export class TokenFileError extends Error {
  override readonly name = "TokenFileError";
  readonly code: TokenFileErrorCode;

  constructor(code: TokenFileErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

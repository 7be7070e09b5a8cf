/**
 * Finds `usage` in a JSON object on its way, piece by piece: answers are passed on as they come, however long they are, and
 * none of them is ever held or parsed as a whole.
 */

/** Of the value; a longer one is none. */
const MAX_USAGE_BYTES = 65_536;
/** Of the name of a member that is looked at. */
const MAX_NAME_BYTES = 16;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

export class UsageScan {
  /** Every object that stood as `usage` in the outermost one. */
  readonly found: object[] = [];
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Bytes of the last string of the outermost object: a name, if a colon follows. */
  #name: number[] = [];
  /** What has come of the value, while it comes. */
  #value: number[] | undefined;

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.#inString) {
        if (!this.#escaped && byte !== QUOTE && byte !== BACKSLASH && this.#value === undefined && this.#depth > 1) {
          at = this.#skipText(chunk, at);
          continue;
        }
        this.#text(byte);
      } else this.#structure(byte);
    }
  }

  /** The last byte of a run of text that nothing is to be learned from. */
  #skipText(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at + 1 < chunk.length && chunk[at + 1] !== QUOTE && chunk[at + 1] !== BACKSLASH) at++;
    return at;
  }

  #text(byte: number): void {
    this.#keep(byte);
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) {
      this.#inString = false;
      return;
    }
    if (this.#depth === 1 && this.#name.length < MAX_NAME_BYTES) this.#name.push(byte);
  }

  #structure(byte: number): void {
    if (byte === QUOTE) {
      this.#inString = true;
      if (this.#depth === 1) this.#name = [];
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#depth--;
    if (this.#depth === 1 && byte === COLON && this.#value === undefined) {
      if (String.fromCharCode(...this.#name) === "usage") this.#value = [];
      return;
    }
    if (this.#value !== undefined && ((this.#depth === 1 && byte === COMMA) || this.#depth === 0)) this.#finish();
    else this.#keep(byte);
  }

  #keep(byte: number): void {
    if (this.#value !== undefined && this.#value.length <= MAX_USAGE_BYTES) this.#value.push(byte);
  }

  #finish(): void {
    const text = Buffer.from(this.#value ?? []).toString();
    this.#value = undefined;
    if (text.length > MAX_USAGE_BYTES) return;
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === "object" && value !== null) this.found.push(value);
    } catch {
      // No JSON: nothing was told.
    }
  }
}

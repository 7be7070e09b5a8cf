/** Lines out of bytes, however they come in pieces: the framing of stdio, one frame a line. */

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A line that stdio does not carry, and the close code that a WebSocket has for its like (RFC 6455 §7.4.1). */
export class LineError extends Error {
  override readonly name: string = "LineError";
  readonly closeCode: 1007 | 1009;

  constructor(closeCode: 1007 | 1009, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}

/**
 * Splits a stream of bytes at line feeds. A carriage return before one is dropped, and so are empty lines. A character
 * may be cut anywhere between two pieces: lines are decoded whole.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** The line begun and not ended. */
  #begun: Uint8Array[] = [];
  #begunBytes = 0;

  /** @param maxBytes longest line, without its end. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The lines that `piece` completes. What follows a line in error is not to be read.
   * @throws LineError for a line longer than `maxBytes`, as soon as it is, or one that is not UTF-8.
   */
  *split(piece: Uint8Array): Generator<string, void> {
    let from = 0;
    for (let end = piece.indexOf(LINE_FEED); end >= 0; end = piece.indexOf(LINE_FEED, from)) {
      this.#append(piece.subarray(from, end));
      from = end + 1;
      const line = this.#takeLine();
      if (line !== "") yield line;
    }
    // Copied: the piece may be a view of a buffer that its stream will fill again.
    if (from < piece.length) this.#append(piece.slice(from));
  }

  #append(part: Uint8Array): void {
    this.#begunBytes += part.length;
    // One more for a carriage return.
    if (this.#begunBytes > this.#maxBytes + 1) throw this.#tooLong();
    this.#begun.push(part);
  }

  #takeLine(): string {
    const [first, ...rest] = this.#begun;
    let bytes = rest.length === 0 ? (first ?? new Uint8Array(0)) : Buffer.concat(this.#begun, this.#begunBytes);
    this.#begun = [];
    this.#begunBytes = 0;
    if (bytes.at(-1) === CARRIAGE_RETURN) bytes = bytes.subarray(0, -1);
    if (bytes.length > this.#maxBytes) throw this.#tooLong();
    try {
      return this.#decoder.decode(bytes);
    } catch {
      throw new LineError(1007, "a line is not UTF-8");
    }
  }

  #tooLong(): LineError {
    return new LineError(1009, `a line is longer than ${this.#maxBytes} bytes`);
  }
}

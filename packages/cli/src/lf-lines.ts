/**
 * Line ends as Unix files have them: CRLF becomes LF. A CRLF behind another CR stays, so that turning each bare LF into CRLF
 * gives back exactly what was there: the store holds no bare LF, and a bare CR stays what it is.
 */
const CR = 13;
const LF = 10;
const nothing = Buffer.alloc(0);

export class LfConverter {
  /** A CR at the end of a piece waits for what follows. */
  #held = false;
  /** The octet before it, or before the next piece. */
  #before = -1;

  /** Best in pieces of 64 KiB or so: the strings of larger ones live too long in the garbage collector's eyes. */
  push(piece: Buffer): Buffer {
    if (piece.length === 0) return nothing;
    const whole = this.#held ? Buffer.concat([Buffer.of(CR), piece]) : piece;
    this.#held = whole.at(-1) === CR;
    const octets = this.#held ? whole.subarray(0, -1) : whole;
    const first = this.#before === CR && octets[0] === CR && octets[1] === LF ? 2 : 0;
    this.#before = octets.at(-1) ?? this.#before;
    const text = octets.toString('latin1', first);
    const converted = text.includes('\r\r\n') ? text.replace(/(?<!\r)\r\n/g, '\n') : text.replace(/\r\n/g, '\n');
    const rest = Buffer.from(converted, 'latin1');
    return first === 0 ? rest : Buffer.concat([octets.subarray(0, first), rest]);
  }

  /** What was held back, with the line end that a last line lacks where `finalLineEnd` asks for it. */
  end(finalLineEnd: boolean): Buffer {
    const held = this.#held ? '\r' : '';
    const isOpen = this.#held || (this.#before !== LF && this.#before !== -1);
    if (!finalLineEnd || !isOpen) return Buffer.from(held);
    return Buffer.from(this.#held ? '\r\r\n' : '\n');
  }
}

/**
 * Octets that arrive in pieces, to be had whole. Pieces are kept as they came as long as they are few: one is not copied at
 * all, and a peer that sends single octets costs no object for each.
 */

/** Pieces that are kept before they become one. */
const piecesMax = 64;

export class Gathered {
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** Octets so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a piece, which must not change any more. */
  push(piece: Buffer): void {
    if (piece.length === 0) return;
    if (this.#pieces.length === piecesMax) this.#pieces = [this.whole()];
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  /** All of it in one piece: the only one as it came, else a copy. */
  whole(): Buffer {
    const [first] = this.#pieces;
    return this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces, this.#bytes);
  }
}

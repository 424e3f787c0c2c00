/**
 * The part tree of a message: what the splitter makes and what ENVELOPE, BODYSTRUCTURE and sections are read from.
 *
 * An *entity* (RFC 2045 §2.4) is a header and a body; the root entity is the message itself. Offsets are octets from the
 * message's first octet, before any trace lines of a delivery.
 */

/** A run of octets: `start` inclusive, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export type EntityKind = 'leaf' | 'multipart' | 'message';

export interface Entity {
  readonly kind: EntityKind;
  /** The header with its blank line, where there is one; empty for a part without header. */
  readonly header: Span;
  /** The header's octets: a copy the tree owns. */
  readonly headerOctets: Buffer;
  /** The body, without the line end that belongs to the boundary behind it. */
  readonly body: Span;
  /** Line ends in the body (BODYSTRUCTURE's lines of text and message/rfc822 parts). */
  readonly bodyLines: number;
  /** Lower-case type and subtype: the declared one, or RFC 2045 §5.2's default where none can be read. */
  readonly type: string;
  readonly subtype: string;
  /** Lower-case Content-Transfer-Encoding as declared; `7bit` where none. */
  readonly encoding: string;
  /** multipart: its parts; message: exactly one, the message inside; leaf: none. */
  readonly children: readonly Entity[];
}

/**
 * Receives every octet of a message exactly once, in order, as structure (headers, blank lines, boundary lines and the
 * line ends that belong to them) or as content (a leaf's body, a preamble, an epilogue). Buffers are the caller's: what a
 * sink keeps beyond the call it copies.
 */
export interface SplitSink {
  structure(octets: Buffer): void;
  /** A run of content begins; `encoding` is its entity's, `7bit` for preambles and epilogues. Runs do not nest; empty runs are not announced. */
  contentStart(encoding: string): void;
  content(octets: Buffer): void;
  contentEnd(): void;
}

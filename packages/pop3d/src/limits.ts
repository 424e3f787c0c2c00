/** Every bound of the POP3 daemon, with its unit and its reason. What the network side bounds stands in its own list. */
export const limits = {
  /** octets of a command line without its CRLF: RFC 2449 §4. */
  lineBytes: 253,
  /** octets of USER's and PASS's lines without CRLF: names and passwords in UTF-8 are longer (RFC 6856 §2). */
  loginLineBytes: 1_100,
  /** octets of AUTH's line without CRLF: the longest response of a SASL exchange, and what stands before it. */
  authLineBytes: 12_320,
  /** commands that were none, came at the wrong time or carried a wrong password, after which a session ends. */
  badCommandsMax: 10,
  /** ms that a session which is logged in may be idle; RFC 1939 §3 asks for ten minutes or more. */
  idleTimeoutMs: 1_800_000,
  /** commands answered in one turn of the event loop: some 2 ms. */
  turnCommands: 500,
  /** octets written in one turn of the event loop: some 5 ms where messages are small. */
  turnBytes: 1_048_576, // 1 * MiB

  /** entries of a maildrop read from the catalog in one turn of the event loop: some 3 ms. */
  sliceEntries: 5_000,
  /** lines of a listing made in one turn of the event loop: some 2 ms. */
  sliceLines: 5_000,
  /** maildrops whose listing is kept for the next session. */
  keptListings: 10_000,
  /** messages in all kept listings; each takes 28 octets. */
  keptEntries: 1_000_000,

  /** octets of a message that is answered in one piece, if it is at hand: some 0.3 ms. */
  quickReplyBytes: 131_072, // 128 * KiB
  /** octets of a message that are gathered before its first one is sent, so that damage can still be answered; also the
   *  most given to the dot encoder at once, some 5 ms of the most hostile content. */
  gatherBytes: 262_144, // 256 * KiB
  /** octets of a body in which line ends are counted in one turn of the event loop, some 2 ms of empty lines. */
  countBytes: 65_536, // 64 * KiB
  /** accounts with a retention of their own that are asked for what CAPA says to everybody: some 5 ms. */
  ownRetentions: 1_000,
  /** ms for which that is remembered. */
  expireFreshMs: 60_000,
} as const;

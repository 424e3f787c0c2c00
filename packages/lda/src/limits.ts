/**
 * Every bound of delivery, with its unit and its reason. What can grow is checked against one of these before it grows.
 */

export const limits = {
  /** octets of a command line without its end; RFC 5321 §4.5.3.1.4 asks for 512, extensions for more, and mail servers stop at 2,048. */
  commandBytes: 4_096,
  /** octets of an address between its angle brackets: Delivered-To stays within a line of 998. */
  pathBytes: 900,
  /** octets of the name after LHLO; a domain has 255. */
  peerNameBytes: 255,
  /** UTF-16 units of an address in a trace line, whoever gave it. */
  traceAddressLength: 900,
  /** recipients of one transaction, refused ones apart: what the store delivers at once. */
  recipients: 10_000,
  /** users behind the recipients of one transaction, each counted as often as an address leads to it. */
  targets: 10_000,
  /** octets of a message that are held before it is taken: most mail comes whole, and costs one look. */
  heldBytes: 262_144, // 256 * KiB
  /** commands that are wrong, one after the other, before a peer is told to go. */
  errorsInRow: 20,
  /** commands, or recipients on a command line, before the event loop gets a turn: about 4 ms of recipients that nobody remembers. */
  commandSlice: 50,
  /** targets looked up, described or reported before the event loop gets a turn: about 5 ms. */
  targetSlice: 250,
  /** accounts made at the same time: each changes some twenty rows. */
  accountsAtOnce: 64,
  /** accounts made by the delivery itself: all in one turn of the writer, which takes it half a millisecond each. */
  accountsInPassing: 8,
  /** ms between commands; RFC 5321 §4.5.3.2.7. */
  idleTimeoutMs: 300_000,
  /** ms that sessions have to read their replies when the store has failed. */
  failedDrainMs: 1_000,
  /** octets of log gathered before they are written, so that a delivery costs no system call for its line. */
  logBufferBytes: 16_384, // 16 * KiB

  /** octets of the arguments of one mstore-lda, each with its NUL: half of what Linux lets a program be started with. */
  argumentBytes: 1_048_576, // 1 * MiB
  /** arguments of one mstore-lda: recipients are fewer (the store's `recipientsTogether`), options are few. */
  arguments: 4_096,
  /** octets of one frame of a message on lda.sock; frames are passed on in pieces as they come, so this only bounds nonsense. */
  pieceBytes: 1_048_576, // 1 * MiB
  /** octets of the path of lda.sock: sun_path less its final NUL. */
  socketPathBytes: 107,
  /** octets of the line that answers an mstore-lda: what mail servers keep of a program's output. */
  answerBytes: 900,
  /** trampolines connected at a time, waiting ones included: a mail server starts hundreds at most. Each costs up to 128 KiB. */
  ldaConnections: 1_000,
  /** of those, deliveries under way; the others wait unread. Each costs the memory of a message being taken in. */
  ldaDeliveries: 100,
  /** ms in which a trampoline must have begun to speak, once it is its turn. */
  ldaIdleMs: 30_000,
  /** ms in which an mstore-lda alone waits for its input or its daemon; a trampoline's patience. */
  ldaPatienceMs: 300_000,
  /** ms between the end of the input and the belief in it, for a signal on its way to stop us; starting Node takes ten times as long. */
  signalGraceMs: 10,
} as const;

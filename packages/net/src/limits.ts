/**
 * Every bound of the network side, with its unit and its reason. What can grow is checked against one of these before it
 * grows.
 */

export const limits = {
  /** octets of a command line without its end; a daemon may ask for less. */
  lineBytes: 65_536, // 64 * KiB
  /** octets of one over-long line that are skipped in the hope of its end; beyond, the peer is not speaking our protocol. */
  lineSkipBytes: 16_777_216, // 16 * MiB
  /** octets of such a line that are kept at either end: an IMAP command's tag, and the literal that it announces. */
  skippedEdgeBytes: 512,
  /** octets received and not yet asked for, of one connection; one more read of 64 KiB may lie on top. */
  readAheadBytes: 65_536, // 64 * KiB
  /** octets written and not yet taken by the kernel, of one connection, above which the writer is told to wait. */
  writeAheadBytes: 262_144, // 256 * KiB
  /** octets given to the kernel at once; progress of a slow reader is seen in steps of this size. */
  writeGroupBytes: 131_072, // 128 * KiB
  /** octets up to which a piece is never cut. */
  writeWholeBytes: 1_024, // 1 * KiB
  /** octets up to which a group of small pieces is copied together: cheaper than a vector of them. */
  writeCopyBytes: 16_384, // 16 * KiB
  /** level of DEFLATE: mail comes out at a quarter of its size, at some 80 MB/s of one thread. */
  deflateLevel: 6,
  /** bits of the window, and level of memory, of what we compress: 128 KiB a connection (2^(14+2) + 2^(7+9)) rather than zlib's 256, for
   *  a tenth more octets. */
  deflateWindowBits: 14,
  deflateMemLevel: 7,
  /** octets that received octets are inflated to at a time; a window of 32 KiB, which peers may use, stands beside. */
  inflateBytes: 16_384, // 16 * KiB

  /** ms that a peer may think between commands; RFC 9051 §5.4. */
  idleTimeoutMs: 1_800_000,
  /** ms of waiting for the rest of a line that has begun. */
  lineTimeoutMs: 60_000,
  /** ms of waiting in which a peer must send or take `progressBytes`: three minutes is what RFC 5321 §4.5.3.2 gives a data block. */
  stallTimeoutMs: 180_000,
  /** octets that count as progress: 20 octets a second, slower than any line in use. */
  progressBytes: 4_096, // 4 * KiB
  /** ms from the greeting to the end of a successful login. */
  loginTimeoutMs: 60_000,
  /** ms in which a peer may still send after our last octet, so that a reset does not overtake it. */
  lingerMs: 2_000,
  /** ms between looks at the deadlines; timeouts are late by up to this much. */
  deadlineTickMs: 250,
  /** slots of the deadline wheel: 4 minutes at the tick above; later deadlines go round again. */
  deadlineSlots: 1_024,

  /** connections of one process; each costs some 10 KiB and a descriptor. */
  connections: 20_000,
  /** connections of one listener; default. */
  listenerConnections: 10_000,
  /** connections from one address (IPv6: one /64), loopback excepted; default. A household or a small office shares one. */
  addressConnections: 100,
  /** connections that the kernel keeps while we are busy. */
  backlog: 1_024,
  /** octets of a Unix socket's path: sun_path less its final NUL. */
  socketPathBytes: 107,

  /** octets of one base64 line in a SASL exchange; RFC 4954 §4. */
  saslLineBytes: 12_288, // 12 * KiB
  /** octets of a login or an authorization identity: a mail address. */
  loginBytes: 320,
  /** octets of a password: hashing must not become work for the asking. */
  passwordBytes: 1_024,

  /** addresses, and logins, whose failures are remembered; the longest untouched is forgotten first. */
  loginGuardEntries: 20_000,
  /** ms from the first of some failures after which all of them are forgotten. */
  loginGuardWindowMs: 900_000,
  /** failures of one address (or login) that cost no delay: people mistype. */
  loginFailuresFree: 2,
  /** ms of the first delay; each further failure doubles it. */
  loginDelayMs: 1_000,
  /** ms of the longest delay: clients give up at 30 s. */
  loginDelayMsMax: 15_000,
  /** failures of one address within the window after which it may not try. */
  loginFailuresAddress: 100,
  /** failed answers held back at a time; beyond, they go out at once: the wait must not hold connections by the thousand. */
  loginDelaysPending: 1_000,

  /** ms that one end of an IPC channel has for an answer: a login or a page of metrics must not wait for one that is busy. */
  answerMs: 1_000,
  /** ms in which changes of what a process has open are gathered before the others are told: 20 messages a second at most. */
  tellMs: 50,
  /** names that are claimed at a time (claims.ts), for LOGIN-DELAY; the oldest is forgotten first. */
  claims: 1_000_000,

  /** ms that a session which is told to end has for it. */
  kickMs: 2_000,
  /** traces at a time in one process: each is a person who looks on, or who did a moment ago. */
  traces: 16,
  /** lines of a trace that are kept until they are fetched, some 2 MiB of the longest; beyond, lines are lost, and counted. */
  traceRows: 2_000,
  /** lines of a session that are kept until its login says who it is: a greeting, some capabilities, the login. */
  traceRowsBefore: 50,
  /** octets of a line that are shown. */
  traceLineBytes: 1_000,
  /** ms without a question after which a trace ends. */
  traceForgetMs: 5_000,
  /** ms that a drain gives the sessions; default. */
  drainMs: 20_000,
  /** ms between looks whether the parent process still lives. */
  parentCheckMs: 1_000,
  /** ms that log lines are gathered at most. */
  logGatherMs: 100,
  /** octets of log lines that nobody reads and that are kept; beyond, lines are lost. */
  logUnwrittenBytes: 1_048_576, // 1 * MiB
  /** octets of an HTTP request to the metrics listener. */
  metricsRequestBytes: 8_192, // 8 * KiB
} as const;

/** Every bound of the IMAP daemon, with its unit and its reason. What the network side bounds stands in its own list. */
export const limits = {
  /** octets of one line of a command, without CRLF: clients name thousands of UIDs in one; DESIGN's bound for command lines. */
  lineBytes: 65_536, // 64 * KiB
  /** octets of a command's lines and the literals that are held in memory, together. */
  commandBytes: 262_144, // 256 * KiB
  /** octets of a command, literals included, before the login: a long login and password, nothing else. */
  anonymousCommandBytes: 8_192, // 8 * KiB
  /** literals of one command that are held in memory; each costs an object beside its octets. */
  commandLiterals: 1_000,
  /** nesting of parentheses, and of the search keys that hold others: each level is a level of our stack. */
  nesting: 50,
  /** levels of a section's part number: mail is not split any deeper. */
  sectionLevels: 100,
  /** octets of a command's tag: the longest answer line repeats it. */
  tagBytes: 255,
  /** octets of a refused literal that are read and dropped, so that the session goes on; beyond, it ends. Twice the largest message. */
  skippedBytes: 134_217_728, // 128 * MiB
  /** octets of a refused literal that are dropped for somebody who is not logged in. */
  anonymousSkippedBytes: 65_536, // 64 * KiB

  /** commands in a row that were none, came at the wrong time or carried a wrong password, after which a session ends. */
  badCommandsMax: 10,
  /** connections that are compressed at a time: each costs some 200 KiB more, most of it for what we compress. */
  compressedConnections: 2_000,
  /** ms that a session which is logged in may be idle: RFC 9051 §5.4 asks for half an hour or more. */
  idleTimeoutMs: 1_860_000,
  /** commands answered in one turn of the event loop: some 2 ms. */
  turnCommands: 200,
  /** octets of answers that are gathered before they are sent, and the event loop gets a turn: some 2 ms of lines. */
  answerBytes: 65_536, // 64 * KiB

  /** pairs of what a client says about itself; RFC 2971 §3.3. */
  idPairs: 30,
  /** octets of what is kept of it for the log. */
  idLogBytes: 200,
  /** messages of one APPEND: each is held by the writer until all are there, and all sessions of a process share its room for 4,096. */
  appendMessages: 500,
  /** octets of all messages of one APPEND, where there is more than one: most of each are held in memory. */
  appendBytes: 67_108_864, // 64 * MiB
  /** ms between two words of ours to a client that idles: less than what routers on the way forget a connection after. */
  keepAliveMs: 120_000,
  /** patterns of one LIST. */
  listPatterns: 100,
  /** wildcards of one LIST's patterns together: each is a state to be carried along every name. */
  patternWildcards: 100,
  /** characters of names times wildcards that LIST looks at in one turn of the event loop: some 3 ms. */
  turnPatternWork: 49_152, // 48 * KiB
  /** mailboxes looked up in one turn of the event loop: some 3 ms. */
  sliceMailboxes: 500,

  /** messages answered about from the catalog in one turn of the event loop: some 3 ms. */
  sliceMessages: 200,
  /** the same, where a glance at their rows is enough: some 2 ms. */
  sliceListed: 1_000,
  /** octets of rows that are glanced at in one turn of the event loop: 1 ms of ordinary ones, 10 of such as are full of fields. */
  turnRowBytes: 524_288, // 512 * KiB
  /** octets of a message that is put together at once, where its records can be had at once: some 0.5 ms. */
  atHandBytes: 131_072, // 128 * KiB
  /** answers of `answerBytes` that are sent in one turn of the event loop: what they are made of may take some 2 ms. */
  turnAnswers: 4,
  /** messages read from the heap in one turn of the event loop: some 2 ms of small ones. */
  turnReads: 16,
  /** octets of a message that gets a turn of its own when it is read: its part tree may take some ms. */
  largeMessageBytes: 65_536, // 64 * KiB
  /** octets of headers and boundaries that are split into parts in one turn of the event loop: some 2 ms where parts are small. */
  turnTreeBytes: 65_536, // 64 * KiB
  /** messages whose index entries are looked at in one turn of the event loop: some 3 ms. */
  sliceEntries: 5_000,
  /** UIDs among which those of deleted messages are looked for in one turn of the event loop: 2 to 8 ms. */
  turnUids: 65_536,
  /** characters of a text that is searched for: what a person types, and a bound on the cost of looking for it at each place. */
  searchTextChars: 1_000,
  /** texts and sent days that one search may look for: each is compared with everything that is read; clients make chains of
   *  some hundreds. */
  searchTexts: 1_000,
  /** keys of one search, once message numbers and UIDs of an OR are one: each is a bitmap for each page of a mailbox, some 5 µs. */
  searchKeys: 5_000,
  /** work of a search in one turn of the event loop: characters compared, and what counts like them; 1 to 3 ms. */
  searchTurnWork: 49_152, // 48 * KiB
  /** what looking at one message's index entry counts as. */
  searchEntryWork: 32,
  /** what reading one message's row counts as. */
  searchRowWork: 256,
  /** what opening a message in the heap, or one of its parts, counts as. */
  searchOpenWork: 8_192, // 8 * KiB
  /** work on header fields of one message's row that is done at one stroke; more of it goes in slices. */
  searchRowAtOnce: 65_536, // 64 * KiB
  /** octets of a part that are decoded at a time. */
  searchPieceBytes: 16_384, // 16 * KiB
  /** ms between two words of ours to a client that waits for a long search. */
  searchWordMs: 10_000,
  /** messages of which a process holds at a time what SORT and THREAD need: some 100 MiB; a larger mailbox goes alone. */
  sortedMessages: 1_000_000,
  /** what an encoded word counts as when SORT or THREAD looks at a header. */
  encodedWordWork: 2_048,
  /** what a comparison, a link or another small step of SORT and THREAD counts as. */
  stepWork: 8,
  /** octets of catalog rows whose headers are looked at in one turn of the event loop: some 3 ms. */
  sliceRowBytes: 262_144, // 256 * KiB
  /** octets of a subject, a name or a local part that SORT and THREAD look at: no line of a header is longer than 998. */
  subjectBytes: 2_048, // 2 * KiB
  /** octets of a subject or a display name that are kept for SORT, and told apart exactly. */
  sortSubjectBytes: 256,
  /** octets of a mailbox's local part that are kept for SORT; RFC 5321 §4.5.3.1.1 has 64. */
  sortMailboxBytes: 80,
  /** octets of a References or In-Reply-To field that THREAD looks at, the last ones. */
  referencesBytes: 65_536, // 64 * KiB
  /** Message-IDs of one References field that THREAD looks at, the first and the last ones: clients cut it at some 20. */
  threadReferences: 200,
  /** Message-IDs that no message bears, for each message of a THREAD: most threads have one or none. */
  dummiesPerMessage: 8,
  /** the same, for the whole THREAD, however few messages there are. */
  dummiesMin: 10_000,
  /** levels of a thread that are climbed to see whether a link would close a circle; where there are more, it is not made. */
  threadLevels: 10_000,
  /** messages whose \Seen is set together, before the first of them is sent. */
  seenTogether: 1_000,
  /** octets of a section that are gathered before its first one is sent, so that damage can still be answered; also the most
   *  that is sent in one piece. */
  gatherBytes: 262_144, // 256 * KiB
  /** octets of one VANISHED line: what RFC 7162 §4 wants lines of commands to keep to, and clients are made for. */
  vanishedLineBytes: 8_000,
  /** expunges looked at in one turn of the event loop: some 3 ms. */
  sliceExpunges: 1_000,
  /** ranges of UIDs that expunges left; of more, a client is told what is not there. They are sorted in one turn: some 8 ms. */
  expungedRanges: 20_000,
  /** runs of message numbers and UIDs that are compared, from the last one down: clients send some ten. At most 10 ms. */
  matchRuns: 500,
  /** octets of a FETCH line that are held before they are sent: each of thousands of items may have `gatherBytes`. */
  heldLineBytes: 1_048_576, // 1 * MiB
  /** items of a message that are answered in one turn of the event loop: each may copy or look through `atHandBytes`; some 3 ms. */
  itemsAtOnce: 32,
  /** octets whose transfer encoding is taken off in one turn of the event loop: some 2 ms. */
  decodeBytes: 131_072, // 128 * KiB
  /** requests of one command that the writer is given at a time; each changes up to 4,000 messages. */
  requestsAhead: 16,
  /** changes of flags of one mailbox that are remembered for its sessions; beyond, they look for themselves. */
  newsKept: 1_000,

  /** mailboxes whose view is kept for the next session. */
  keptViews: 10_000,
  /** pages in all kept views; each takes 1 KiB. */
  keptPages: 20_000,
  /** mailboxes of which it is known up to where messages were told as recent. */
  recentMailboxes: 100_000,
} as const;

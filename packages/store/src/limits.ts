/**
 * Every bound of the store, with its unit and its reason. What can grow is checked against one of these before it grows.
 */

export const limits = {
  /** octets of one message; default of `limits.messageBytes`. Larger mail is what file transfer is for. */
  messageBytes: 67_108_864, // 64 * MiB
  /** octets of a message's header, and of all part headers and boundary lines of a message together; what is beyond is
   *  content. Keeps what structure is made from in one record. */
  headerBytes: 1_048_576, // 1 * MiB
  /** nesting of multipart and message/rfc822; deeper entities are leaves. */
  mimeDepth: 100,
  /** entities of one message; further boundaries are content. */
  mimeParts: 10_000,
  /** header fields read into structure; a flood of fields stays in the header but is not looked at. */
  headerFields: 2_000,
  /** parameters of one header field, RFC 2231 segments included. */
  headerParameters: 100,
  /** addresses read from one address field for ENVELOPE; one field of 1 MiB could name 100,000. */
  addresses: 5_000,
  /** a body part of at least this many octets (decoded) is a PART of its own; below, a shared copy costs more than it saves. */
  partBytesMin: 4_096, // 4 * KiB
  /** octets of content that one MESSAGE keeps inline; further small content becomes PARTs. */
  inlineBytes: 262_144, // 256 * KiB
  /** content longer than this is appended in chunks as it arrives, so that memory does not follow message size. */
  partChunkBytes: 1_048_576, // 1 * MiB
  /** octets of a part held in memory before its chunks go to the heap: a duplicate up to this size costs no octet of it. */
  partSpillBytes: 4_194_304, // 4 * MiB
  /** parts held in memory before they go to the heap: what a message has at its end is compressed and logged in one turn. */
  partsHeld: 200,
  /** chunks of one part: the closing record lists them in its fields, 65,535 octets. */
  partChunks: 2_048,
  /** octets of a message taken in before the event loop gets a turn; 256 KiB cost about 2 ms. */
  ingestSliceBytes: 262_144, // 256 * KiB
  /** octets of base64 columns a recipe can name; longer lines are stored as they came. */
  base64LineBytes: 998,
  /** smallest saving, in percent, that is worth a decompression at each read. */
  zstdGainPercent: 10,
  /** content below this is not worth a compressor's call. */
  zstdBytesMin: 256,

  /** octets of a segment; the default of `heap.segmentBytes`. */
  segmentBytes: 134_217_728, // 128 * MiB
  /** octets of records after which a batch takes no further intent. */
  batchBytes: 8_388_608, // 8 * MiB
  /** octets of records that one intent may produce. */
  intentBytes: 33_554_432, // 32 * MiB
  /** octets of one record's payload, as stored and as decoded: header and inline content with room to spare. */
  recordBytes: 33_554_432, // 32 * MiB
  /** intents in one batch: deciding them must not hold the event loop. */
  batchIntents: 256,
  /** entries that one EVENT may name; larger work goes in slices. */
  eventEntries: 10_000,
  /** entries decided in one turn of the event loop (about 5 ms). */
  sliceEntries: 4_000,
  /** entries expunged in one turn. */
  expungeEntries: 500,
  /** entries copied in one turn: each touches its message and its threads. */
  copyEntries: 200,
  /** entries brought back in one turn: each is copied and released. */
  undeleteEntries: 50,
  /** entries purged in one turn (about 5 ms): each releases a message and its parts. */
  purgeEntries: 100,
  /** parts that these messages name, unless one alone names more. */
  purgeParts: 1_000,
  /** deleted mailboxes purged in one turn, when they hold no more than that together. */
  purgeMailboxes: 20,
  /** mailboxes deleted or brought back in one turn: each moves its names and counts. */
  mailboxesPerTurn: 50,
  /** remembered expunges forgotten in one turn. */
  forgottenExpunges: 500,
  /** names of a deleted account forgotten in one turn. */
  namesForgotten: 500,
  /** seconds that what was expunged or deleted stays whatever the settings say: sessions not yet told may still read it. */
  retainedSecondsMin: 600,
  /** seconds that expunges are remembered one by one (RFC 7162): a client that was away for a month resyncs quickly, and what
   *  is kept does not grow with the years. */
  expungesSeconds: 2_592_000, // 30 * 86_400
  /** seconds that the oldest may be older before a mailbox's old expunges are forgotten: one event a week for each, not more. */
  expungesSlackSeconds: 604_800, // 7 * 86_400
  /** ms between two looks for what retention ends. */
  retentionMs: 300_000,
  /** ms of a pause between two slices of that while others have work for the writer; longer where a slice took long. */
  retentionPauseMs: 25,
  /** times as long as a slice took is the pause behind it then: deliveries lose a tenth at most. */
  retentionPauses: 9,
  /** seconds in which every account is looked at once for messages that are to go by age: they are counted in days. */
  agingSeconds: 86_400,
  /** accounts looked at for that each time at least, so that a small store is looked at whole. */
  agingAccountsMin: 1_000,
  /** recipients of one delivery. */
  recipients: 10_000,
  /** recipients of one delivery of which all or none get the message: decided in one turn, about 10 ms. */
  recipientsTogether: 100,
  /** batches between durable heap and catalog. */
  batchesAhead: 12,
  /** octets between durable heap and catalog. */
  bytesAhead: 33_554_432, // 32 * MiB
  /** free octets below which new mail is refused; the default of `space.newMail`. Flags, expunges and the catalog go on. */
  newMailFreeBytes: 268_435_456, // 256 * MiB
  /** free octets below which every change is refused; the default of `space.changes`. What is under way, the catalog's
   *  transactions, and a second of writing between two looks at the disk fit in. */
  changesFreeBytes: 67_108_864, // 64 * MiB
  /** octets of the reserve; the default of `space.reserve`. A compaction copies what lives in a segment before it gives that back. */
  reserveBytes: 134_217_728, // 128 * MiB
  /** free octets, the reserve's included, below which not even what gives space back is taken: a catalog transaction must fit. */
  lastFreeBytes: 16_777_216, // 16 * MiB
  /** octets by which the reserve grows at a time, and how often in one look: 20 MB/s at most, and less beside work. */
  reserveSliceBytes: 1_048_576, // 1 * MiB
  reserveSlices: 16,
  /** ms between two looks at disk, device and catalog. */
  lookMs: 1_000,
  /** ms that one look counts for at most: a machine that slept finds nothing hanging. */
  lookMsMax: 5_000,
  /** ms after which a catalog transaction hangs; slow disks take some seconds when their caches overflow. */
  catalogHangMs: 30_000,
  /** ms after which a device that failed twice is tried again; doubled at each failure. */
  probeMs: 5_000,
  /** ms between two such probes at most: mail shall flow soon after a cable was put back. */
  probeMsMax: 60_000,
  /** ms that an ending writer waits for the disk to take the mark of a failed catalog. */
  markMs: 2_000,
  /** free octets below which a failed catalog write is taken for one that came short on a full disk: more than any transaction. */
  shortWriteBytes: 8_388_608, // 8 * MiB
  /** ms for which a reader keeps a catalog open that another took the place of: many times what a turn of the event loop takes. */
  oldCatalogMs: 10_000,
  /** ms after which the disk is asked again for its room, beside the work; some 20 MB of mail at most. */
  roomFreshMs: 100,
  /** ms after which what is known of the room is too old to go by. */
  roomStaleMs: 2_000,
  /** ms that a reader waits for the catalog to show what the log holds: many times what that takes. */
  catchUpMs: 500,
  /** rows of each table that deliveries change, kept decoded by the writer: 30 MB at most. */
  cachedRows: 4_096,
  /** segments named in a header: 128 TiB of heap at the default size. */
  segments: 1_000_000,

  /** steps of one look for changed entries: chunks of the index passed over by their first octets. Some 3 ms. */
  chunkSteps: 640,
  /** steps that a chunk counts for whose entries are looked at, and so does the beginning of another range of UIDs. */
  decodedChunkSteps: 16,

  /** records of one compaction decision: about 4 ms. */
  compactRecords: 64,
  /** octets of one compaction decision: what a delivery behind it waits for. */
  compactBytes: 1_048_576, // 1 * MiB
  /** seconds for which a segment's expunges are remembered one by one when it is compacted; an IMAP client that was away for
   *  longer compares everything once (RFC 7162). */
  expungeLogSeconds: 7_776_000, // 90 days
  /** ms between the retirement of a segment and its file's end: most who hold a place in it are done with it by then. */
  retiredFileMs: 300_000,
  /** ms that a rebuild gives the process that looks into the old catalog: far more than a few rows take, also on a busy machine. */
  positionMs: 30_000,
  /** ms between two looks of who waits to open a catalog while it is written, or to write while it is opened. */
  gateLookMs: 1,
  /** ms between two looks of a reader for files that were unlinked, and of the writer for something to compact. */
  compactLookMs: 60_000,

  /** octets of an account name. */
  accountNameBytes: 320,
  /** octets of a mailbox name: an LMDB key holds it. */
  mailboxNameBytes: 1_000,
  /** levels of a mailbox name. */
  mailboxDepth: 50,
  /** mailboxes of one account. */
  mailboxes: 10_000,
  /** subscriptions of one account. */
  subscriptions: 10_000,
  /** keywords of one mailbox; a keyword's number is one octet. */
  keywords: 256,
  /** octets of a keyword. */
  keywordBytes: 255,
  /** octets of an imported UIDL: RFC 1939 §7. */
  uidlBytes: 70,
  /** seconds before or after 1970 of an internal date: years of four digits, and well within what the index can keep. */
  dateSeconds: 253_402_300_799, // the end of the year 9999
  /** octets of the header lines that a delivery puts on top. */
  traceBytes: 16_384, // 16 * KiB
  /** Message-IDs of one message that take part in threading: its own, the first and the last of References. */
  threadKeys: 64,
  /** octets of a catalog row; a larger ENVELOPE or BODYSTRUCTURE is made again from MESSAGE when asked. */
  rowBytes: 65_536, // 64 * KiB
  /** octets of a metadata value (RFC 5464). */
  metadataBytes: 65_536, // 64 * KiB

  /** octets of the path of the writer's socket: sun_path less its final NUL. */
  socketPathBytes: 107,
  /** octets of one frame to the writer: a delivery to 10,000 recipients, with the trace line of each. */
  frameBytes: 8_388_608, // 8 * MiB
  /** octets of one frame from the writer: the UIDs of a COPY of a million messages. */
  answerBytes: 67_108_864, // 64 * MiB
  /** intents of one socket connection under way; while there are as many, no more is read from it. */
  intentsInFlight: 1_024,
  /** ms for a command to wait for the writer's lock when no socket answers. */
  lockWaitMs: 30_000,
  /** ms after which a daemon that follows the change feed looks for a new writer. */
  reconnectMs: 100,
  /** octets of a file that upkeep keeps for its next run: a thousand findings with all they concern. */
  keptFileBytes: 16_777_216, // 16 * MiB
  /** octets that a scrub reads before it notes how far it came. */
  scrubNoteBytes: 67_108_864, // 64 * MiB
  /** ms of work after which a scrub lets others have the event loop. */
  scrubSliceMs: 4,
  /** octets of a message up to which a scrub hashes it as a whole; of a longer one its parts are hashed, each once. */
  scrubMessageBytes: 4_194_304, // 4 * MiB
  /** ms between two looks whether a scrub is due. */
  scrubLookMs: 60_000,
  /** steps of a repair that its report lists. */
  repairSteps: 10_000,
  /** findings that a scrub keeps; a store with more has one cause. */
  scrubFindings: 1_000,
  /** mailboxes named in one finding. */
  concernedMailboxes: 100,
  /** ms without work after which an empty COMMIT closes the log. */
  idleCommitMs: 1_000,
  /** octets of rows in a block of a checkpoint: about 2 ms to read and compress. */
  checkpointBlockBytes: 262_144, // 256 * KiB
  /** rows of such a block, where they are small. */
  checkpointBlockRows: 4_000,
  /** ms that a checkpoint may hold its snapshot of the catalog, which meanwhile grows by what is written. */
  checkpointMs: 1_800_000,
  /** checkpoints kept in a store: the newest, and one to fall back to. */
  checkpointsKept: 2,
  /** LMDB's address space; not disk. */
  catalogMapBytes: 1_099_511_627_776, // 1024 * 1024 * MiB
} as const;

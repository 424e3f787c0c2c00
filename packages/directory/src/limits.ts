/**
 * Every bound of the directory, with its unit and its reason. What can grow is checked against one of these before it grows.
 */

export const limits = {
  /** octets of an address in our form, the local part unquoted: the longest account name of a store. */
  addressBytes: 320,
  /** octets of a domain in ASCII: RFC 5321 §4.5.3.1.2 less the dot at the end. */
  domainBytes: 253,
  /** UTF-16 units of an address or login as it arrives; longer ones are not looked at. */
  givenAddressLength: 1_024,
  /** octets of a password. SHA-crypt takes time by the square of the length, and nobody types more. */
  passwordBytes: 1_024,
  /** largest user id: a store's account id is a u32. */
  userId: 4_294_967_295,
  /** octets or messages of a quota: integers that JavaScript and SQLite both hold exactly. */
  quota: 9_007_199_254_740_991,

  /** aliases passed on the way from an address to one user. */
  aliasHops: 10,
  /** distinct addresses that one address leads to, intermediate ones included: a store's recipients of one delivery. */
  aliasTargets: 10_000,
  /** alias addresses followed before the event loop gets a turn: about 5 ms. */
  aliasSlice: 250,

  /** threads that hash passwords; each takes a processor, and up to `hashMemoryBytes`, while it works. */
  hashThreads: 8,
  /** passwords waiting for a thread; beyond, the directory is `unavailable`. */
  hashQueue: 512,
  /** ms that a password waits for a thread before the directory is `unavailable`: clients give up after 30 s or so. */
  hashWaitMs: 15_000,
  /** octets of memory that a hash may ask for; an imported one that wants more is refused. */
  hashMemoryBytes: 268_435_456, // 256 * MiB
  /** rounds of SHA-crypt that a hash may ask for: about 2 s. */
  shaCryptRounds: 1_000_000,
  /** bcrypt's cost that a hash may ask for: about 3 s. */
  bcryptCost: 15,
  /** passes over the memory that an Argon2 hash may ask for. */
  argon2Passes: 100,
  /** blocks that a scrypt hash may ask for, as N * r * p: about 3 s. */
  scryptBlocks: 8_388_608, // 8 * Mi
  /** octets of a stored password string. */
  storedPasswordBytes: 1_024,

  /** ms for which a verified password is remembered. */
  rememberMs: 300_000,
  /** users whose verified passwords are remembered: about 200 octets each. */
  rememberedPasswords: 100_000,

  /** ms for which a cached answer is given without asking. */
  cacheFreshMs: 30_000,
  /** ms for which a cached answer is given when the directory cannot be asked: a night's outage. */
  cacheStaleMs: 86_400_000,
  /** answers of each kind that a cache keeps. */
  cacheEntries: 100_000,
  /** changes told at once that a cache follows one by one; with more it forgets everything. Each is compared with every answer
   *  kept. */
  cacheChanges: 20,

  /** ms between two looks at whether the file changed. */
  changePollMs: 500,
  /** changes kept for those that ask since when; older ones read as "everything". */
  changesKept: 100_000,
  /** changes told at once. */
  changesTold: 1_000,
  /** times that a read meets a locked file before the directory is `unavailable`, waiting in between. */
  busyRetries: 5,
  /** ms between these tries. */
  busyRetryMs: 20,
  /** ms that a change waits for the changes of other processes. */
  writeWaitMs: 30_000,
  /** changes asked for and not yet answered. */
  changesInFlight: 1_024,

  /** rows of one page of a list. */
  pageRows: 1_000,
  /** lines of an import that are read, and changed in one transaction, before the event loop gets a turn: about 10 ms. */
  importSlice: 500,
  /** UTF-16 units of a line of an import. */
  importLineLength: 4_096,
  /** faulty lines of an import that are reported one by one; all are counted. */
  importErrors: 1_000,
} as const;

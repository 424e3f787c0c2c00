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
} as const;

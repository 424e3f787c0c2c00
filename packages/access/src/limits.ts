/** The daemons' bounds in common. */
export const limits = {
  /** damaged messages remembered, so that they are refused at once. */
  damagedMessages: 10_000,
  /** octets of log lines gathered before they are written. */
  logBufferBytes: 4_096,
} as const;

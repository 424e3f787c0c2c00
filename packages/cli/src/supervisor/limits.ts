/** Every bound of the supervisor, with its unit and its reason. */

export const limits = {
  /** ms before a child is started again, from its second quick end on; each further one doubles it. */
  backOffMs: 100,
  /** ms of the longest wait before a start: a service that cannot run shall still come back soon after its cause is gone. */
  backOffMsMax: 5_000,
  /** ms of running after which an end counts as the first again. */
  steadyMs: 60_000,
  /** starts without a ready notice after which a service that never ran gives up: its installation is broken. */
  firstStarts: 5,
  /** ms from start to the ready notice, for programs without recovery. */
  readyMs: 60_000,
  /** ms between lines of the log about a child that takes its time to start. */
  startingNoticeMs: 30_000,
  /** processes of a program that are started by themselves: each takes some 70 MiB, and deliveries need processors too. */
  workersByProcessor: 4,
  /** ms in which the children of a supervisor that was killed let go of their addresses. */
  addressWaitMs: 30_000,
  /** ms between two attempts at such an address. */
  addressRetryMs: 50,
  /** ms before ready.json is written again where that failed. */
  readyRetryMs: 2_000,
  /** ms beyond its own deadlines after which a child that should end is killed. */
  killGraceMs: 3_000,

  /** ms between two looks whether a checkpoint is due: each starts a process, and the reasons are counted in hours. */
  checkpointLookMs: 300_000,

  /** connections to the control socket at a time; each lasts for one question, or for a trace. */
  controlConnections: 16,
  /** octets of a question on the control socket: a login or a session's id, and some words. */
  controlLineBytes: 4_096, // 4 * KiB
  /** of them, those that trace. */
  controlTraces: 8,
  /** ms between two questions to the processes about what a trace saw. */
  tracePollMs: 200,
  /** ms that a trace goes on: one that was forgotten ends. */
  traceMs: 86_400_000,
  /** ms that a peer of the control socket may think. */
  controlIdleMs: 10_000,
} as const;

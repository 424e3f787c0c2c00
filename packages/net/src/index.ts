/** How octets come in and go out: listeners, connections, lines, logins' frames, and what every daemon's process needs. */
export {
  addressBelow,
  addressKey,
  boundAddress,
  formatListenAddress,
  isLocalAddress,
  isLoopback,
  type ListenAddress,
  type OpenOptions,
  parseListenAddress,
} from './address.ts';
export { AskedClaims, type Claims, MemoryClaims } from './claims.ts';
export {
  Connection,
  type ConnectionOptions,
  type ConnectionTimeouts,
  type Farewell,
  type ReadStage,
} from './connection.ts';
export { ConnectionCounter } from './connection-counter.ts';
export { Crew, type Member } from './crew.ts';
export { Deadline, DeadlineWheel } from './deadline.ts';
export { deflated } from './deflated.ts';
export { type DotDecoded, DotDecoder, DotEncoder } from './dot-lines.ts';
export { isPeerError, PeerError, type PeerErrorCode } from './errors.ts';
export { Gathered } from './gathered.ts';
export { HeldSocket } from './held-socket.ts';
export {
  type Answer,
  firstInheritedFd,
  type InheritedSocket,
  isAnswer,
  isQuestion,
  isTelling,
  parseSocketArgument,
  type Question,
  socketArgument,
  type Telling,
  type Told,
} from './inherited.ts';
export { limits as netLimits } from './limits.ts';
export { LineReader, type LineReaderOptions } from './line-reader.ts';
export { Listener, type ListenerOptions, type Refusal } from './listener.ts';
export { Log, type LogFields, type LogLevel, type LogOptions, openLog, sessionId } from './log.ts';
export { type LoginAttempt, type LoginGuard, type LoginGuardOptions, MemoryLoginGuard } from './login-guard.ts';
export {
  type CountedBy,
  GatheredMetrics,
  type Labels,
  type MetricCounter,
  type MetricHistogram,
  Metrics,
  type MetricsPage,
  MetricsServer,
  serveMetrics,
} from './metrics.ts';
export { listenEverywhere, placesOf } from './places.ts';
export {
  endWith,
  type FailedNotice,
  isEndingNotice,
  isFailedNotice,
  isReadyNotice,
  type ProcessOptions,
  type ReadyNotice,
  type Running,
  refuseConfiguration,
  runProcess,
} from './process.ts';
export {
  findMechanism,
  SaslDialogue,
  type SaslExchange,
  type SaslMechanism,
  type SaslPassword,
  type SaslStep,
  type SaslTurn,
} from './sasl.ts';
export { saslLogin } from './sasl-login.ts';
export { saslPlain } from './sasl-plain.ts';
export {
  answerAbout,
  type Session,
  type SessionChoice,
  type SessionRow,
  SessionTable,
} from './sessions.ts';
export { SharedCounts } from './shared-counts.ts';
export { Asking, Siblings } from './siblings.ts';
export { type Clock, systemClock } from './sys/clock.ts';
export type { SessionTrace, TracePart, TraceRow } from './trace.ts';

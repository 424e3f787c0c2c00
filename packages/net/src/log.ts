/**
 * The log: JSON on stderr, one line an event. Fields are names, numbers and errors; octets cannot be logged, so that neither mail nor
 * passwords get there by accident, and fields with a password's name are dropped whatever they hold.
 */
import { randomBytes } from 'node:crypto';
import { type DestinationStream, type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { LogWriter } from './log-writer.ts';

/** What an event may say; `error` is shown with its stack and causes. */
export type LogFields = Readonly<
  Record<string, string | number | boolean | readonly string[] | readonly number[] | undefined>
> & { readonly error?: never };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** Writes events; made by `openLog`, and by `child` for a session. */
export class Log {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** A log whose every line has these fields. */
  child(fields: LogFields): Log {
    return new Log(this.#logger.child(fields));
  }

  debug(event: string, fields: LogFields = {}): void {
    this.#logger.debug(fields, event);
  }

  info(event: string, fields: LogFields = {}): void {
    this.#logger.info(fields, event);
  }

  warn(event: string, fields: LogFields = {}, error?: unknown): void {
    this.#logger.warn(withError(fields, error), event);
  }

  error(event: string, fields: LogFields = {}, error?: unknown): void {
    this.#logger.error(withError(fields, error), event);
  }

  fatal(event: string, fields: LogFields = {}, error?: unknown): void {
    this.#logger.fatal(withError(fields, error), event);
  }
}

function withError(fields: LogFields, error: unknown): object {
  return error === undefined ? fields : { ...fields, error };
}

export interface LogOptions {
  /** The program: `lmtpd`. */
  readonly name: string;
  readonly level?: LogLevel;
  /** Where lines go; stderr unless given. */
  readonly to?: DestinationStream;
  /** Octets gathered before they are written, at most for 100 ms; 0 writes every line at once. */
  readonly bufferBytes?: number;
}

/** Fields that never appear, of an event and of its error; nothing else has fields of its own. */
const secrets = ['password', 'secret', 'authorization', 'content', 'initialResponse'];

/** The log of a process. */
export function openLog(options: LogOptions): Log {
  const to = options.to ?? toStandardError(options.bufferBytes ?? 0);
  return new Log(
    pino(
      {
        level: options.level ?? 'info',
        base: { name: options.name, pid: process.pid },
        messageKey: 'event',
        errorKey: 'error',
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: stdSerializers.errWithCause },
        redact: { paths: secrets.flatMap((name) => [name, `error.${name}`]), remove: true },
      },
      to,
    ),
  );
}

function toStandardError(bufferBytes: number): DestinationStream {
  const to = new LogWriter(2, bufferBytes);
  process.once('exit', () => to.flushSync());
  return to;
}

/** Random octets fetched ahead: one call for each session would cost more than all else about its name. */
let random = Buffer.alloc(0);
let randomAt = 0;

/** A session's name in logs, `who` and trace lines: 16 lower-case hexadecimal digits, random. */
export function sessionId(): string {
  if (randomAt === random.length) {
    random = randomBytes(4_096);
    randomAt = 0;
  }
  randomAt += 8;
  return random.toString('hex', randomAt - 8, randomAt);
}

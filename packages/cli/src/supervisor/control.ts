/**
 * The control socket of a running service, `run/control.sock`, mode 0600: `mstore who`, `kick`, `trace` and `doctor` ask there. A question is
 * one line of JSON, and so is each line of the answer: rows, then one with `done`. A trace goes on until the peer ends.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Connection,
  ConnectionCounter,
  DeadlineWheel,
  isPeerError,
  LineReader,
  Listener,
  type Log,
  sessionId,
  type TracePart,
} from '@mstore/net';
import { errorText } from '@mstore/store';
import { limits } from './limits.ts';

/** A session, and the process that has it. */
export interface ControlRow {
  readonly [field: string]: unknown;
  readonly process: string;
  readonly pid: number;
}

/** What the service can be asked. */
export interface Controlled {
  /** Its programs, each with how it is. */
  health(): Promise<readonly object[]>;
  /** All sessions; `silent` are the processes that did not answer. */
  who(): Promise<{ readonly rows: readonly ControlRow[]; readonly silent: readonly string[] }>;
  /** Ends the sessions of these logins, and those with these ids; how many. */
  kick(names: readonly string[]): Promise<{ readonly kicked: number; readonly silent: readonly string[] }>;
  /** What was said since the last question with this key in the sessions of these logins, or with these ids. */
  traced(key: string, names: readonly string[]): Promise<TracePart>;
}

/** @throws Error when the socket cannot be made */
export function openControl(path: string, controlled: Controlled, log: Log): Promise<Listener> {
  const refusal = `${JSON.stringify({ problem: 'the service is busy or stopping' })}\n`;
  const traces: Traces = { open: 0 };
  return Listener.listen(
    { kind: 'unix', path },
    {
      wheel: new DeadlineWheel(),
      counter: new ConnectionCounter(),
      connectionsMax: limits.controlConnections,
      idleTimeoutMs: limits.controlIdleMs,
      lineTimeoutMs: limits.controlIdleMs,
      stallTimeoutMs: limits.controlIdleMs,
      serve: (connection) => answer(connection, controlled, traces),
      failed: (error) => log.warn('control: a question was not answered', {}, error),
      refusal: () => refusal,
      notAccepted: (error) => log.warn('control: a connection could not be accepted', {}, error),
      unixMode: 0o600,
    },
  );
}

/** Traces under way: they stay, and must leave room for questions. */
interface Traces {
  open: number;
}

async function answer(connection: Connection, controlled: Controlled, traces: Traces): Promise<void> {
  const lines = new LineReader(connection, { lineBytesMax: limits.controlLineBytes, bareLineFeed: 'ends' });
  const question = await lines.next();
  if (question === undefined) return;
  const write = (line: object): Promise<void> | undefined => connection.write(`${JSON.stringify(line)}\n`);
  try {
    const { ask, names } = readQuestion(question.toString());
    if (ask === 'trace') {
      if (traces.open >= limits.controlTraces) throw new Error('too many traces at a time');
      traces.open += 1;
      await follow(connection, lines, (key) => controlled.traced(key, names)).finally(() => {
        traces.open -= 1;
      });
    } else if (ask === 'kick') await write({ done: true, ...(await controlled.kick(names)) });
    else if (ask === 'health') {
      for (const row of await controlled.health()) await write({ row });
      await write({ done: true });
    } else {
      const { rows, silent } = await controlled.who();
      for (const row of rows) await write({ row });
      await write({ done: true, silent });
    }
  } catch (error) {
    // Who went away before the end wants no more of it.
    if (isPeerError(error)) return;
    await write({ problem: errorText(error) });
  }
}

/** Passes on what is traced until the peer ends, or the service does. */
async function follow(
  connection: Connection,
  lines: LineReader,
  traced: (key: string) => Promise<TracePart>,
): Promise<void> {
  const over = new AbortController();
  const end = (): void => over.abort();
  connection.setIdleTimeout(limits.traceMs);
  lines.next().then(end, end);
  const key = sessionId();
  const write = (line: object): Promise<void> | undefined => connection.write(`${JSON.stringify(line)}\n`);
  for (let isFirst = true; !over.signal.aborted; isFirst = false) {
    const { rows, lost } = await traced(key);
    for (const row of rows) await write({ row });
    if (lost > 0) await write({ row: { lost } });
    if (isFirst) await write({ row: { begun: true } });
    await sleep(limits.tracePollMs, undefined, { signal: over.signal }).catch(() => undefined);
  }
  if (connection.farewell !== 'peer') await write({ done: true });
}

interface ControlQuestion {
  readonly ask: 'who' | 'kick' | 'health' | 'trace';
  readonly names: readonly string[];
}

function readQuestion(text: string): ControlQuestion {
  const question: unknown = JSON.parse(text);
  if (typeof question === 'object' && question !== null && 'ask' in question) {
    if (question.ask === 'who' || question.ask === 'health') return { ask: question.ask, names: [] };
    const names = 'names' in question && Array.isArray(question.names) ? question.names.map(String) : [];
    if ((question.ask === 'kick' || question.ask === 'trace') && names.length > 0) return { ask: question.ask, names };
  }
  throw new Error('a question is {"ask":"who"}, {"ask":"health"}, or {"ask":"kick" or "trace","names":[…]}');
}

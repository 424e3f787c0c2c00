/**
 * A daemon of the simplest kind under the real supervisor: greets with its name and pid, echoes lines, ends a session on `quit` and
 * itself on `break`, with code 3 and yet by a signal. What it shall do wrong stands in `DIR/pretend.json`, read at each start: by the daemon's name, `refuse` (exits 78), `hang` (never ready), `crash`
 * (ends before it is ready, with code 3) or `mute` (answers no question).
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  type Connection,
  ConnectionCounter,
  DeadlineWheel,
  endWith,
  LineReader,
  Listener,
  Metrics,
  openLog,
  parseSocketArgument,
  runProcess,
  SessionTable,
} from '@mstore/net';
import { loadConfig } from '@mstore/store';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    config: { type: 'string' },
    socket: { type: 'string', multiple: true },
    told: { type: 'boolean', default: false },
  },
});
const { data = '', config, socket = [], told } = values;
const name = socket.some((text) => text.startsWith('pop3:')) ? 'pop3' : 'writer';
const log = openLog({ name });
const sessions = new SessionTable();
const metrics = new Metrics();
const lines = metrics.counter('mstore_lines_total', 'Lines echoed');

function fault(): string {
  try {
    const faults: unknown = JSON.parse(readFileSync(`${data}/pretend.json`, 'utf8'));
    return typeof faults === 'object' && faults !== null ? String(Reflect.get(faults, name) ?? '') : '';
  } catch {
    return '';
  }
}

async function echo(connection: Connection): Promise<void> {
  const session = sessions.open(connection, name);
  const reader = new LineReader(connection, { bareLineFeed: 'ends' });
  connection.write(`${name} ${process.pid}${told ? ' told' : ''}\n`);
  for (let line = await reader.next(); line !== undefined; line = await reader.next()) {
    const text = String(line);
    if (text === 'quit') break;
    if (text === 'break') {
      process.once('exit', () => process.kill(process.pid, 'SIGABRT'));
      await endWith(3);
    }
    if (text.startsWith('login ')) session.login = text.slice('login '.length);
    lines.add();
    await connection.write(`${text}\n`);
    // In the middle of something: a drain waits for the two octets.
    if (text === 'hold') for await (const octets of reader.bytes(2)) await connection.write(`held ${octets.length}\n`);
  }
  connection.write(`bye ${connection.farewell ?? 'quit'}\n`);
}

async function answer(about: string, [kind, which = '']: readonly string[]): Promise<unknown> {
  if (fault() === 'mute') await new Promise(() => undefined);
  if (about === 'who') return sessions.rows();
  if (about === 'kick') return sessions.kick(kind === 'id' ? { id: which } : { login: which });
  if (about === 'metrics') return metrics.json();
  throw new Error(`no answer about ${about}`);
}

const today = fault();
if (today === 'crash') process.exit(3);
if (today === 'hang') process.on('SIGTERM', () => process.exit(0));

await runProcess(
  { log, drainMs: 2_000, endWithParent: true, ...(today === 'refuse' && { startFailed: () => 78 }) },
  async () => {
    if (today === 'refuse') throw new Error('this daemon was told to refuse');
    if (today === 'hang') await new Promise(() => setInterval(() => undefined, 1_000));
    await loadConfig(data, config);
    const options = {
      wheel: new DeadlineWheel(),
      counter: new ConnectionCounter(),
      serve: echo,
      failed: (error: unknown) => log.error('session failed', {}, error),
      refusal: () => 'busy\n',
    };
    const held = socket.map(parseSocketArgument);
    const listeners = await Promise.all(held.map(({ fd, address }) => Listener.listenOn(fd, options, address)));
    return {
      drain: async (deadlineMs) => {
        await Promise.all(listeners.map((listener) => listener.drain(deadlineMs)));
        log.info('drained');
      },
      reload: async () => {
        await loadConfig(data, config);
      },
      answer,
    };
  },
);

/** `mstore who` */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { exit } from './errors.ts';
import { askService } from './supervisor/control-client.ts';
import { humanTime, safeText, table } from './text.ts';

const manual = `
Lists the sessions of the running service, oldest first: protocol, login (- before one, and for mail servers), the client's
address (- for a Unix socket), since when, the session's id as the log has it, the process, and the mailbox that an IMAP session
has selected (by its name at that time; - for none). Exit code 69 when no service runs.`;

export function addWho(program: Command): void {
  works(program.command('who').description('list the sessions of the service').addHelpText('after', manual), who);
}

async function who(run: Run): Promise<number> {
  const { rows, end } = await askService(resolve(run.directory), { ask: 'who' });
  const sessions = rows.map(sessionOf).sort((a, b) => a.since - b.since);
  noteSilent(run, end);
  const cells = sessions.map((row) => [
    row.protocol,
    row.login === '' ? '-' : safeText(row.login),
    row.remote === '' ? '-' : row.remote,
    humanTime(Math.floor(row.since / 1000)),
    row.id,
    `${row.process} ${row.pid}`,
    row.mailbox === '' ? '-' : safeText(row.mailbox),
  ]);
  const head = ['protocol', 'login', 'remote', 'since', 'session', 'process', 'mailbox'];
  await run.answer({ sessions }, cells.length === 0 ? 'no sessions\n' : table([head, ...cells]));
  return exit.done;
}

interface SessionLine {
  readonly protocol: string;
  readonly login: string;
  readonly remote: string;
  readonly local: string;
  /** ms since 1970. */
  readonly since: number;
  readonly id: string;
  readonly mailbox: string;
  readonly process: string;
  readonly pid: number;
}

function sessionOf(row: object): SessionLine {
  const fields = new Map<string, unknown>(Object.entries(row));
  const text = (name: string): string => String(fields.get(name) ?? '');
  const [protocol, login, remote, local] = [text('protocol'), text('login'), text('remote'), text('local')];
  const [since, pid] = [Number(fields.get('since')), Number(fields.get('pid'))];
  return {
    protocol,
    login,
    remote,
    local,
    since,
    id: text('id'),
    mailbox: text('mailbox'),
    process: text('process'),
    pid,
  };
}

/** Says which processes are not in the answer. */
export function noteSilent(run: Run, end: object): void {
  const silent: unknown = 'silent' in end ? end.silent : [];
  if (Array.isArray(silent) && silent.length > 0) run.note(`no answer from ${silent.join(', ')}`);
}

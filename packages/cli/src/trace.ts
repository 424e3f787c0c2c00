/** `mstore trace` */
import { resolve } from 'node:path';
import { normalAddress } from '@mstore/directory';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { exit } from './errors.ts';
import { OutputClosed } from './output.ts';
import { followService } from './supervisor/control-client.ts';
import { counted, safeText } from './text.ts';

const manual = `
Shows what a user's IMAP and POP3 sessions and the service say to each other, as it goes, until Ctrl-C: those that are open, and
those to come, from their greeting on; also attempts to log in as that user. Instead of a login a session's id may be given
(mstore who shows them), an LMTP session's too. Each line has the time (UTC), the session's id, and C: for the client, S: for the service.

Passwords and all of a SASL exchange are left out, shown as "…", and so is a line that is no command. Of messages and literals
of the service only the number of octets is shown, of long lines the beginning. What the service says to other users stays unseen.

With --json each line is a JSON object. A session never waits for the trace: where lines come faster than they can be fetched,
some are lost, and the trace says how many. It ends after a day. Exit code 69 when no service runs.`;

export function addTrace(program: Command): void {
  const command = program.command('trace').description("show the dialogue of a user's sessions");
  works(command.argument('<login-or-session>', 'whose').addHelpText('after', manual), trace);
}

async function trace(run: Run): Promise<number> {
  const given = run.arg(0);
  const { config } = await run.config();
  const address = normalAddress(given, config.login.defaultDomain || undefined);
  const names = [...new Set([given, address ?? given])];
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  try {
    for await (const row of followService(resolve(run.directory), { ask: 'trace', names }, stopping.signal)) {
      if ('begun' in row) run.note(`tracing ${given}; Ctrl-C ends it`);
      else if ('lost' in row) run.note(`${counted(Number(row.lost), 'line')} lost`);
      else await run.out.write(run.json ? `${JSON.stringify(row)}\n` : lineOf(row));
    }
  } catch (error) {
    if (!(error instanceof OutputClosed)) throw error;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
  }
  return exit.done;
}

const sides: Readonly<Record<string, string>> = { client: 'C:', server: 'S:' };

/** `10:42:01.123Z 0123456789abcdef C: a1 NOOP` */
function lineOf(row: object): string {
  const fields = new Map<string, unknown>(Object.entries(row));
  const time = new Date(Number(fields.get('time'))).toISOString().slice(11);
  const side = sides[String(fields.get('side'))] ?? '--';
  return `${time} ${fields.get('session')} ${side} ${safeText(String(fields.get('text') ?? ''))}\n`;
}

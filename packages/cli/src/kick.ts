/** `mstore kick` */
import { resolve } from 'node:path';
import { normalAddress } from '@mstore/directory';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { exit } from './errors.ts';
import { askService } from './supervisor/control-client.ts';
import { counted } from './text.ts';
import { noteSilent } from './who.ts';

const manual = `
Ends all sessions of a login, or the one with this id (mstore who shows both): at their next command, or after two seconds.
Exit code 1 when there is none, 69 when no service runs. It does not keep anybody from coming back: mstore user disable does.`;

export function addKick(program: Command): void {
  const kicking = program.command('kick').description('end sessions').argument('<login-or-session>', 'whom');
  works(kicking.addHelpText('after', manual), kick);
}

async function kick(run: Run): Promise<number> {
  const given = run.arg(0);
  const { config } = await run.config();
  const address = normalAddress(given, config.login.defaultDomain || undefined);
  const names = [...new Set([given, address ?? given])];
  const { end } = await askService(resolve(run.directory), { ask: 'kick', names });
  const kicked = 'kicked' in end ? Number(end.kicked) : 0;
  noteSilent(run, end);
  await run.answer({ kicked }, kicked === 0 ? `no session of ${given}\n` : `${counted(kicked, 'session')} ended\n`);
  return kicked === 0 ? exit.findings : exit.done;
}

/** Every command: in which states it may come, how its arguments are read, and who does it. */
import { limits } from '../limits.ts';
import { mechanism, name, noArguments, numberAndLines, numberOrAll, oneNumber, password } from './arguments.ts';
import { type Command, command } from './command.ts';
import { dele, list, rset, stat, uidl } from './listings.ts';
import { apop, auth, pass, user, utf8 } from './logins.ts';
import { retr, top } from './messages.ts';
import { capa, noop, quit } from './sessions.ts';

const always = ['authorization', 'transaction'] as const;
const before = ['authorization'] as const;
const after = ['transaction'] as const;

const anything = (octets: Buffer): Buffer => octets;

/** By keyword, in capitals. */
export const commands: ReadonlyMap<string, Command> = new Map([
  ['CAPA', command(always, noArguments, capa)],
  ['QUIT', command(always, noArguments, quit)],
  ['USER', command(before, name, user, limits.loginLineBytes)],
  ['PASS', command(before, password, pass, limits.loginLineBytes)],
  ['APOP', command(before, anything, apop)],
  ['AUTH', command(before, mechanism, auth, limits.authLineBytes)],
  ['UTF8', command(before, noArguments, utf8)],
  ['STAT', command(after, noArguments, stat)],
  ['LIST', command(after, numberOrAll, list)],
  ['UIDL', command(after, numberOrAll, uidl)],
  ['RETR', command(after, oneNumber, retr)],
  ['TOP', command(after, numberAndLines, top)],
  ['DELE', command(after, oneNumber, dele)],
  ['NOOP', command(after, noArguments, noop)],
  ['RSET', command(after, noArguments, rset)],
]);

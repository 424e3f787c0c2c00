/**
 * The command line of mstore-lda: `[--data DIR] [-f SENDER] [-d DEST] [-a ORIGINAL] [-m MAILBOX] [--] [RECIPIENT…]`. Pure; the
 * meaning of addresses is found out elsewhere. The trampoline finds `--data` by the same grammar.
 *
 * Every option takes one value, attached (`-fSENDER`, `--data=DIR`) or as the next word, whatever that begins with. Options
 * may stand among recipients until `--`, since mail servers let one word of their set-up become several (`-a
 * ${recipient} -f ${sender}`).
 */
import { limits } from './limits.ts';

export interface LdaOptions {
  readonly data?: string;
  readonly sender?: string;
  /** Where the message goes; one unless the words after -a, or no -d and -a, name several. */
  readonly recipients: readonly string[];
  /** With -d, the address before the mail server rewrote it: -a. */
  readonly original?: string;
  readonly mailbox?: string;
}

/** The command line is wrong; the message says how. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

type OptionName = '--data' | '-f' | '-d' | '-a' | '-m';

const names: readonly OptionName[] = ['--data', '-f', '-d', '-a', '-m'];

interface Words {
  readonly values: ReadonlyMap<OptionName, string>;
  readonly positionals: readonly string[];
}

/** @throws {UsageError} */
export function parseLdaOptions(args: readonly string[]): LdaOptions {
  if (args.length > limits.arguments) throw new UsageError(`more than ${limits.arguments} arguments`);
  const { values, positionals } = split(args);
  const destination = values.get('-d');
  const original = values.get('-a');
  if (destination !== undefined && positionals.length > 0) {
    throw new UsageError('recipients beside -d: with -d the mail server must hand over one recipient at a time');
  }
  const first = destination ?? original;
  const recipients = first === undefined ? positionals : [first, ...positionals];
  if (recipients.length === 0) throw new UsageError('no recipient: give -d, -a or an address');
  if (recipients.includes('')) throw new UsageError('a recipient is empty');
  const data = values.get('--data');
  const sender = values.get('-f');
  const mailbox = values.get('-m');
  return {
    ...(data !== undefined && { data }),
    ...(sender !== undefined && { sender }),
    recipients,
    ...(destination !== undefined && original !== undefined && original !== '' && { original }),
    ...(mailbox !== undefined && mailbox !== '' && { mailbox }),
  };
}

function split(args: readonly string[]): Words {
  const values = new Map<OptionName, string>();
  const positionals: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? '';
    if (word === '--') return { values, positionals: [...positionals, ...args.slice(at + 1)] };
    if (!word.startsWith('-')) {
      positionals.push(word);
      continue;
    }
    const { name, attached } = optionOf(word);
    const value = attached ?? args[++at];
    if (value === undefined) throw new UsageError(`${name} wants a value`);
    if (values.has(name)) throw new UsageError(`${name} is given twice`);
    values.set(name, value);
  }
  return { values, positionals };
}

function optionOf(word: string): { readonly name: OptionName; readonly attached: string | undefined } {
  if (word.startsWith('--data=')) return { name: '--data', attached: word.slice('--data='.length) };
  const name = names.find((known) => known === (word.startsWith('--') ? word : word.slice(0, 2)));
  if (name === undefined) throw new UsageError(`unknown option ${word}`);
  return { name, attached: word.length > name.length ? word.slice(name.length) : undefined };
}

/**
 * A new password from whoever runs the command: asked for twice on a terminal, without showing it, else the first line of
 * standard input. Never from an argument, which others could see.
 */
import type { ReadStream } from 'node:tty';
import { CommandError, exit } from './errors.ts';

/** Octets of a line that are looked at; the directory's own bound is smaller. */
const lineBytesMax = 8_192;
const LF = 10;

/** @throws CommandError badData */
export async function newPassword(): Promise<string> {
  return process.stdin.isTTY === true ? askTwice(process.stdin) : firstLine(process.stdin);
}

async function firstLine(input: AsyncIterable<Buffer>): Promise<string> {
  let line = Buffer.alloc(0);
  for await (const octets of input) {
    line = Buffer.concat([line, octets]);
    if (line.includes(LF) || line.length > lineBytesMax) break;
  }
  const end = line.indexOf(LF);
  const octets = end === -1 ? line : line.subarray(0, end);
  const text = decoded(octets.at(-1) === 13 ? octets.subarray(0, -1) : octets);
  if (text === '') throw new CommandError(exit.badData, 'no password came: give it as a line of standard input');
  return text;
}

function decoded(octets: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    throw new CommandError(exit.badData, 'the password is not UTF-8');
  }
}

async function askTwice(terminal: ReadStream): Promise<string> {
  terminal.setRawMode(true);
  const keys = terminal.setEncoding('utf8')[Symbol.asyncIterator]();
  const typed = new Typed(async () => {
    const { value, done } = await keys.next();
    return done === true ? undefined : String(value);
  });
  try {
    const first = await typed.line('New password: ');
    if (first === '') throw new CommandError(exit.badData, 'the password is empty');
    if ((await typed.line('The same again: ')) !== first) {
      throw new CommandError(exit.badData, 'the two passwords differ');
    }
    return first;
  } finally {
    terminal.setRawMode(false);
    terminal.pause();
  }
}

/** Lines from a terminal in raw mode, with the keys that people correct themselves by. */
class Typed {
  readonly #read: () => Promise<string | undefined>;
  #ahead: string[] = [];

  constructor(read: () => Promise<string | undefined>) {
    this.#read = read;
  }

  /** @throws CommandError when nothing more comes, or on Ctrl-C */
  async line(prompt: string): Promise<string> {
    process.stderr.write(prompt);
    try {
      return await this.#line();
    } finally {
      process.stderr.write('\n');
    }
  }

  async #line(): Promise<string> {
    let line: string[] = [];
    for (;;) {
      const key = await this.#key();
      if (key === '\r' || key === '\n') return line.join('');
      if (key === undefined || key === '\x03' || key === '\x04')
        throw new CommandError(exit.findings, 'no password given');
      if (key === '\x7f' || key === '\b') line.pop();
      else if (key === '\x15') line = [];
      else if (line.length < lineBytesMax) line.push(key);
    }
  }

  async #key(): Promise<string | undefined> {
    while (this.#ahead.length === 0) {
      const text = await this.#read();
      if (text === undefined) return undefined;
      this.#ahead = [...text];
    }
    return this.#ahead.shift();
  }
}

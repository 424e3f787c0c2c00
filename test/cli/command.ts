/** The compiled command line as a child process, on a store of its own that is checked at the end. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { repositoryRoot } from '../support/repository.ts';
import { tempDirectory } from '../support/temp.ts';

const program = join(repositoryRoot, 'packages/cli/dist/main.js');

/** Of a password nobody types here: quick to import. */
export const anyHash = '{SSHA}gfAMBO2sKMPx1d/fBlX2o9V9DkpzYWx0MTIzNA==';

export interface Ran {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** Peak of the resident set, in octets, as far as it was seen. */
  readonly rssBytes: number;
}

export interface RunOptions {
  readonly input?: Buffer | string | AsyncIterable<Buffer>;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Look at the process's memory while it runs. */
  readonly watchMemory?: boolean;
}

export function start(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const env = { ...process.env, MSTORE_DATA: '', MSTORE_DEBUG: '', ...options.env };
  return spawn(process.execPath, [program, ...args], { env, cwd: options.cwd });
}

export async function mstore(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = start(args, options);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (octets: Buffer) => stdout.push(octets));
  child.stderr?.on('data', (octets: Buffer) => stderr.push(octets));
  let rssBytes = 0;
  const look = (): void => {
    rssBytes = Math.max(rssBytes, peakBytes(child.pid));
  };
  const timer = options.watchMemory === true ? setInterval(look, 5) : undefined;
  // The child may end before it has read everything.
  child.stdin?.on('error', () => undefined);
  const fed = feed(child, options.input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  clearInterval(timer);
  await fed;
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString(), rssBytes };
}

async function feed(child: ChildProcess, input: RunOptions['input']): Promise<void> {
  const { stdin } = child;
  if (stdin === null) return;
  if (input === undefined || typeof input === 'string' || Buffer.isBuffer(input)) {
    stdin.end(input ?? '');
    return;
  }
  for await (const octets of input) {
    if (stdin.destroyed) return;
    if (!stdin.write(octets)) await drained(stdin);
  }
  stdin.end();
}

/** Resolves when there is room again, or nobody reads any more. */
function drained(stdin: Writable): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      stdin.off('drain', go).off('close', go);
      resolve();
    };
    stdin.on('drain', go).on('close', go);
  });
}

function peakBytes(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** A store that a test works on with commands. */
export class CliStore implements AsyncDisposable {
  readonly folder: string;
  readonly directory: string;
  readonly #remove: () => Promise<void>;

  private constructor(folder: string, remove: () => Promise<void>) {
    this.folder = folder;
    this.directory = join(folder, 'store');
    this.#remove = remove;
  }

  /** An empty store with these users in its directory. */
  static async make(...users: readonly string[]): Promise<CliStore> {
    const temp = await tempDirectory();
    const store = new CliStore(temp.path, async () => temp[Symbol.asyncDispose]());
    await store.done(['init']);
    const lines = users.map((address) => `${address} ${anyHash}\n`).join('');
    if (users.length > 0) await store.done(['user', 'import', '-'], { input: lines });
    return store;
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return mstore([...args, '--data', this.directory], options);
  }

  /** Runs a command that must succeed; its output. */
  async done(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const ran = await this.run(args, options);
    assert.equal(ran.code, 0, `mstore ${args.join(' ')}: ${ran.stderr}`);
    return ran.stdout.toString();
  }

  /** Runs a command that must be refused with this code, and one line. */
  async refused(code: number, args: readonly string[], options: RunOptions = {}): Promise<string> {
    return refusal(code, args, await this.run(args, options));
  }

  /** The octets of all messages of a mailbox, in order of UID; none of a user without account. */
  async octets(user: string, mailbox = 'INBOX'): Promise<Buffer[]> {
    const folder = join(this.folder, `out-${process.hrtime.bigint()}`);
    const args = ['export', 'eml', folder, '--user', user, '--mailbox', mailbox, '--json'];
    const ran = await this.run(args);
    if (ran.code === 67) return [];
    assert.equal(ran.code, 0, ran.stderr);
    const report: unknown = JSON.parse(ran.stdout.toString());
    assert.ok(typeof report === 'object' && report !== null && 'exported' in report);
    return Array.from({ length: Number(report.exported) }, (_, at) =>
      readFileSync(join(folder, mailbox, `${at + 1}.eml`)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const { code, stdout, stderr } = await this.run(['fsck']);
      assert.equal(code, 0, `fsck: ${stdout}${stderr}`);
    } finally {
      await this.#remove();
    }
  }
}

/** Asserts a refusal: the exit code, nothing on standard output, one line on standard error without a stack. */
export function refusal(code: number, args: readonly string[], ran: Ran): string {
  assert.equal(ran.code, code, `mstore ${args.join(' ')}: ${ran.stderr}`);
  assert.equal(ran.stdout.toString(), '');
  assert.match(ran.stderr, /^mstore: [^\n]+\n$/);
  return ran.stderr;
}

/** What is delivered of octets that a From_ line may stand before; `From :` is a field in the obsolete form. */
export function withoutFromLine(octets: Buffer): Buffer {
  const isLine = /^From (?![ \t]*:)/.test(octets.toString('latin1', 0, 998));
  return isLine ? octets.subarray(octets.indexOf(10) + 1) : octets;
}

/** As the store keeps what comes in by pipe or import: LF as CRLF, a missing last line end added. */
export function asStored(octets: Buffer): Buffer {
  const text = octets.toString('latin1').replace(/(?<!\r)\n/g, '\r\n');
  return Buffer.from(text === '' || text.endsWith('\n') ? text : `${text}\r\n`, 'latin1');
}

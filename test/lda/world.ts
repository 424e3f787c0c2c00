/** A store with a directory and perhaps a daemon, and mstore-lda in one of its forms: where its contract is tried out. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DirectoryAdministration } from '@mstore/directory';
import { createStore, openAsWriter, type Store } from '@mstore/store';
import { repositoryRoot } from '../support/repository.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean } from '../support/temp-store.ts';

const daemonProgram = fileURLToPath(new URL('./lda-daemon.js', import.meta.url));
const trampoline = join(repositoryRoot, 'packages/lda/dist/mstore-lda');
const program = join(repositoryRoot, 'packages/lda/dist/main.js');

export interface LdaForm {
  readonly name: string;
  readonly command: readonly string[];
  readonly isNative: boolean;
}

/** Both forms of mstore-lda, as a command line begins with them; without a compiler only one is there. */
export const forms: readonly LdaForm[] = [
  ...(existsSync(trampoline) ? [{ name: 'the trampoline', command: [trampoline], isNative: true }] : []),
  { name: 'the TypeScript program', command: [process.execPath, program], isNative: false },
];

export interface LdaRan {
  /** The exit code, or the name of the signal that ended it. */
  readonly code: number | string | null;
  readonly line: string;
}

export interface LdaInput {
  readonly input?: Buffer | string;
  /** By default `--data DIR` stands first and MSTORE_DATA is empty. */
  readonly bare?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** As which user, where we may say so. */
  readonly uid?: number;
}

export interface WorldUser {
  readonly address: string;
  readonly quotaBytes?: number;
  readonly quotaMessages?: number;
}

export class LdaWorld implements AsyncDisposable {
  readonly directory: string;
  readonly #command: readonly string[];
  readonly #remove: () => Promise<void>;
  daemon: ChildProcess | undefined;

  private constructor(directory: string, command: readonly string[], remove: () => Promise<void>) {
    this.directory = directory;
    this.#command = command;
    this.#remove = remove;
  }

  static async make(
    command: readonly string[],
    users: readonly WorldUser[],
    config = '',
    aliases: Readonly<Record<string, readonly string[]>> = {},
  ): Promise<LdaWorld> {
    const temp = await tempDirectory();
    const directory = join(temp.path, 'store');
    await createStore(directory);
    await writeFile(join(directory, 'mstore.toml'), config);
    const administration = await DirectoryAdministration.create(join(directory, 'directory.sqlite'));
    await administration.addDomain('x.example');
    for (const { address, ...quota } of users) {
      await administration.addUser(address, {});
      await administration.setQuota(address, { quotaBytes: 0, quotaMessages: 0, ...quota });
    }
    for (const [address, targets] of Object.entries(aliases)) await administration.setAlias(address, targets);
    await administration.close();
    return new LdaWorld(directory, command, async () => temp[Symbol.asyncDispose]());
  }

  /** Starts the daemon; what it logs is for the eye. */
  async startDaemon(stallTimeoutMs = 180_000): Promise<void> {
    const child = spawn(process.execPath, [daemonProgram, this.directory, String(stallTimeoutMs)], {
      stdio: ['ignore', 'ignore', process.env.MSTORE_DEBUG === '1' ? 'inherit' : 'ignore', 'ipc'],
    });
    this.daemon = child;
    await once(child, 'message', { signal: AbortSignal.timeout(20_000) });
  }

  async stopDaemon(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.daemon;
    this.daemon = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** Starts an mstore-lda whose input the caller writes. */
  start(args: readonly string[], { bare = false, env = {}, uid }: LdaInput = {}): ChildProcess {
    const [file = '', ...before] = this.#command;
    const data = bare ? [] : ['--data', this.directory];
    const options = { env: { ...process.env, MSTORE_DATA: '', ...env }, ...(uid !== undefined && { uid }) };
    return spawn(file, [...before, ...data, ...args], options);
  }

  /** Runs an mstore-lda to its end. */
  async run(args: readonly string[], options: LdaInput = {}): Promise<LdaRan> {
    const child = this.start(args, options);
    const ran = endOf(child);
    child.stdin?.end(options.input ?? '');
    return ran;
  }

  /** Runs it by a shell, whose redirections and limits it has. */
  async runIn(shell: string, args: readonly string[]): Promise<LdaRan> {
    const words = [...this.#command, '--data', this.directory, ...args];
    return endOf(spawn('sh', ['-c', shell, 'sh', ...words]));
  }

  /** Opens the store, which no daemon may have, for a look; checks it first. */
  async look<T>(use: (store: Store) => Promise<T>): Promise<T> {
    await this.stopDaemon();
    // A process that was killed may take a moment to give the lock back.
    const own = await openAsWriter(this.directory, { waitMs: 10_000 });
    try {
      await assertClean(own.store);
      return await use(own.store);
    } finally {
      await own.close();
    }
  }

  /** The messages of all mailboxes: `ada@x.example INBOX`, in order of UID. */
  mail(): Promise<ReadonlyMap<string, readonly string[]>> {
    return this.look(async (store) => {
      const mail = new Map<string, string[]>();
      const catalog = store.catalog();
      const places = [...catalog.accounts()].flatMap(({ id, row }) =>
        [...catalog.mailboxes(id)].map((mailbox) => ({ key: `${row.name} ${mailbox.row.name}`, id: mailbox.id })),
      );
      for (const { key, id } of places) {
        const messages: string[] = [];
        for (const entry of [...store.catalog().entries(id)]) {
          messages.push((await (await store.open(entry)).whole()).toString('latin1'));
        }
        if (messages.length > 0) mail.set(key, messages);
      }
      return mail;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.look(() => Promise.resolve());
    } finally {
      await this.stopDaemon('SIGKILL');
      await this.#remove();
    }
  }
}

/** Writes to the input of an mstore-lda; resolves when it has read so much that the rest fits the pipe. */
export async function feed(child: ChildProcess, octets: Buffer): Promise<void> {
  const { stdin } = child;
  assert.ok(stdin !== null);
  await new Promise<void>((resolve) => stdin.write(octets, () => resolve()));
}

/** Asserts an exit code, and one line on standard error, which is given, or none where it is done. */
export function assertEnded({ code, line }: LdaRan, expected: number): string {
  assert.equal(code, expected, line);
  assert.match(line, expected === 0 ? /^$/ : /^mstore-lda: [^\n]+\n$/);
  return line.slice('mstore-lda: '.length, -1);
}

/** Resolves when the process has ended and all it said is known. */
export async function endOf(child: ChildProcess): Promise<LdaRan> {
  const said: Buffer[] = [];
  child.stderr?.on('data', (octets: Buffer) => said.push(octets));
  child.stdout?.on('data', () => assert.fail('mstore-lda says nothing on standard output'));
  // It may end before it has read everything.
  child.stdin?.on('error', () => undefined);
  await once(child, 'close');
  return { code: child.exitCode ?? child.signalCode, line: Buffer.concat(said).toString() };
}

/** The header lines a delivery puts on top, for a sender and a recipient. */
export function traceOf(sender: string, recipient: string): RegExp {
  const [from, to] = [sender, recipient].map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(
    `^Return-Path: <${from}>\\r\\nDelivered-To: ${to}\\r\\n` +
      `Received: by \\S+ with local id [0-9a-f]{16}\\r\\n\\tfor <${to}>; \\w{3}, \\d\\d \\w{3} \\d{4} [\\d:]{8} \\+0000\\r\\n`,
  );
}

/**
 * `mstore serve` for tests: the compiled program with its children, in a process group of its own, on a temporary data
 * directory and ports that the system chose. At the end it is stopped by SIGTERM, and the store is checked.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DirectoryAdministration } from '@mstore/directory';
import { LmtpClient, type LmtpMessage, type Reply } from './lmtp-client.ts';
import { Pop3Client } from './pop3-client.ts';
import { repositoryRoot } from './repository.ts';
import { tempDirectory } from './temp.ts';

/** The command line of a checkout. */
function programOf({ checkout = repositoryRoot }: ServiceOptions): string {
  return join(checkout, 'packages/cli/dist/main.js');
}

const serving = ['lmtp=127.0.0.1:0', 'lmtp=unix:run/lmtp.sock', 'pop3=127.0.0.1:0', 'imap=127.0.0.1:0'];
const startMs = 60_000;
const stopMs = 60_000;

/** The password of users that a test gives none; their hash is a cheap one. */
export const commonPassword = 'correct-horse';
const commonHash = `{SSHA256}${saltedHash(commonPassword)}`;

/** Whom the processes run as; absent: the user who runs the tests. */
export interface UnixUser {
  readonly uid: number;
  readonly gid: number;
}

export interface ServiceOptions {
  /** The whole of mstore.toml. */
  readonly config?: string;
  /** Users with `commonPassword`. */
  readonly users?: readonly string[];
  /** `NAME=ADDRESS`; absent: LMTP on TCP and on `run/lmtp.sock`, POP3 and IMAP, on ports that the system chooses. */
  readonly listen?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The data directory and its folder become this user's. */
  readonly runAs?: UnixUser;
  /** Whose programs are run; this one's when absent. */
  readonly checkout?: string;
}

/** What ready.json says. */
export interface ReadyFile {
  readonly pid: number;
  readonly lmtp: readonly string[];
  readonly pop3: readonly string[];
  readonly imap: readonly string[];
  /** Processes by their work; a number or several. */
  readonly pids: Readonly<Record<string, number | readonly number[]>>;
}

/** A program that ran to its end. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<number>();
process.on('exit', () => {
  for (const pid of running) killGroup(pid);
});
// Else a test that is told to end would leave them behind.
for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  process.once(signal, () => process.exit(code));
}

export class Service implements AsyncDisposable {
  /** The data directory. */
  readonly directory: string;
  readonly administration: DirectoryAdministration;
  readonly #options: ServiceOptions;
  readonly #remove: () => Promise<void>;
  #listen: readonly string[];
  #child: ChildProcess | undefined;
  #ready: ReadyFile | undefined;
  #log = '';

  private constructor(
    directory: string,
    administration: DirectoryAdministration,
    options: ServiceOptions,
    remove: () => Promise<void>,
  ) {
    this.directory = directory;
    this.administration = administration;
    this.#options = options;
    this.#listen = options.listen ?? serving;
    this.#remove = remove;
  }

  /** An empty store with these users, being served. */
  static async start(options: ServiceOptions = {}): Promise<Service> {
    const service = await Service.prepare(options);
    try {
      await service.start();
      return service;
    } catch (error) {
      await service[Symbol.asyncDispose]().catch(() => undefined);
      throw error;
    }
  }

  /** An empty store with these users, not served yet. */
  static async prepare(options: ServiceOptions = {}): Promise<Service> {
    const temp = await tempDirectory();
    const directory = join(temp.path, 'data');
    const { runAs } = options;
    if (runAs !== undefined) await chown(temp.path, runAs.uid, runAs.gid);
    const made = await runMstore(['init', '--data', directory], options);
    assert.equal(made.code, 0, made.stderr);
    const file = join(directory, 'directory.sqlite');
    const administration = existsSync(file)
      ? await DirectoryAdministration.open(file)
      : await DirectoryAdministration.create(file);
    const service = new Service(directory, administration, options, async () => temp[Symbol.asyncDispose]());
    await service.configure(options.config ?? '');
    await service.addUsers(options.users ?? []);
    return service;
  }

  /** Where it listens and who it is. Throws while it is stopped. */
  get ready(): ReadyFile {
    assert.ok(this.#ready, 'the service does not run');
    return this.#ready;
  }

  /** Standard error of all processes, since the first start. */
  get log(): string {
    return this.#log;
  }

  /** Starts the processes; resolves when they say that they are ready. Later starts listen where the first one did. */
  async start(): Promise<void> {
    assert.equal(this.#child, undefined, 'the service runs already');
    const { env, runAs } = this.#options;
    const args = ['serve', '--data', this.directory, ...this.#listen.flatMap((at) => ['--listen', at])];
    const child = spawn(process.execPath, [programOf(this.#options), ...args], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, MSTORE_DATA: '', ...env },
      ...runAs,
    });
    this.#child = child;
    if (child.pid !== undefined) running.add(child.pid);
    child.stderr.on('data', (octets: Buffer) => {
      this.#log += octets.toString();
    });
    const ready = await this.#untilReady(child);
    this.#ready = ready;
    const { lmtp, pop3, imap } = ready;
    this.#listen = Object.entries({ lmtp, pop3, imap }).flatMap(([name, all]) => all.map((at) => `${name}=${at}`));
  }

  /** Stops by SIGTERM and waits for the end of every process; the supervisor's exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (child?.pid === undefined) return null;
    this.#child = undefined;
    this.#ready = undefined;
    try {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit', { signal: AbortSignal.timeout(stopMs) });
      }
      return child.exitCode;
    } finally {
      killGroup(child.pid);
      running.delete(child.pid);
    }
  }

  /** Ends every process at once, as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    this.#child = undefined;
    this.#ready = undefined;
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    killGroup(child.pid);
    running.delete(child.pid);
    await ended;
  }

  /** Replaces mstore.toml; heard at the next start. There is no reserve unless the text asks for one: it costs the disk much. */
  async configure(text: string): Promise<void> {
    const all = text.includes('[space]') ? text : `${text}\n[space]\nreserve = 0\n`;
    await writeFile(join(this.directory, 'mstore.toml'), all);
  }

  /** Adds a user, or changes the quota of one; `commonPassword` logs in. */
  async addUser(address: string, quotaBytes: number = 0): Promise<void> {
    await this.addUsers([address], quotaBytes);
  }

  /** Adds many. */
  async addUsers(addresses: readonly string[], quotaBytes: number = 0): Promise<void> {
    const lines = addresses.map((address) => `${address} ${commonHash} ${quotaBytes}`);
    const { failed, problems } = await this.administration.importUsers(lines);
    assert.equal(failed, 0, JSON.stringify(problems));
    await this.#own();
  }

  /** `127.0.0.1:PORT` of a protocol. */
  tcp(protocol: 'lmtp' | 'pop3' | 'imap'): string {
    const address = this.ready[protocol].find((at) => !at.startsWith('unix:'));
    assert.ok(address, `${protocol} does not listen on TCP`);
    return address;
  }

  port(protocol: 'lmtp' | 'pop3' | 'imap'): number {
    return Number(/:(\d+)$/.exec(this.tcp(protocol))?.[1]);
  }

  /** The path of LMTP's Unix socket. */
  get lmtpSocket(): string {
    const address = this.ready.lmtp.find((at) => at.startsWith('unix:'));
    assert.ok(address, 'LMTP does not listen on a Unix socket');
    return address.slice('unix:'.length);
  }

  /** Delivers in a session of its own; a reply for each recipient. */
  async deliver(message: LmtpMessage): Promise<readonly Reply[]> {
    const client = await LmtpClient.connect(this.tcp('lmtp'));
    try {
      const replies = await client.deliver(message);
      await client.quit();
      return replies;
    } finally {
      client.wire.close();
    }
  }

  /** Every message of a user's maildrop, in order, as POP3 gives it. */
  async maildrop(address: string, password: string = commonPassword): Promise<Buffer[]> {
    const client = await Pop3Client.login(this.tcp('pop3'), address, password);
    try {
      const messages = await client.everything();
      await client.quit();
      return messages;
    } finally {
      client.wire.close();
    }
  }

  /** Runs a command on the data directory. */
  mstore(args: readonly string[]): Promise<Finished> {
    return runMstore([...args, '--data', this.directory], this.#options);
  }

  /** Stops, checks the store and removes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const wasRunning = this.#child !== undefined;
      const code = await this.stop();
      if (wasRunning) assert.equal(code, 0, `mstore serve ended with ${code}:\n${this.#log}`);
      const { code: findings, stdout, stderr } = await this.mstore(['fsck']);
      assert.equal(findings, 0, `fsck: ${stdout}${stderr}`);
    } finally {
      await this.administration.close();
      await this.#remove();
    }
  }

  /** What this process wrote into the data directory is the service's, too. */
  async #own(): Promise<void> {
    const { runAs } = this.#options;
    if (runAs === undefined) return;
    const names = (await readdir(this.directory)).filter((name) => name.startsWith('directory.sqlite'));
    for (const name of names) await chown(join(this.directory, name), runAs.uid, runAs.gid);
  }

  async #untilReady(child: ChildProcess): Promise<ReadyFile> {
    const path = join(this.directory, 'run/ready.json');
    const deadline = performance.now() + startMs;
    while (performance.now() < deadline) {
      assert.ok(child.exitCode === null && child.signalCode === null, `mstore serve ended:\n${this.#log}`);
      // One that a killed service left behind names another process.
      const ready = await readReady(path);
      if (ready !== undefined && ready.pid === child.pid) return ready;
      await pause(10);
    }
    throw new Error(`mstore serve is not ready after ${startMs} ms:\n${this.#log}`);
  }
}

function saltedHash(password: string): string {
  const salt = Buffer.from('salt');
  return Buffer.concat([createHash('sha256').update(password).update(salt).digest(), salt]).toString('base64');
}

/** Undefined while it is not there; it comes and goes at any moment, but is always whole. */
async function readReady(path: string): Promise<ReadyFile | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { pid, lmtp = [], pop3 = [], imap = [], pids = {} } = JSON.parse(text);
  return { pid, lmtp, pop3, imap, pids };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody of the group is left.
  }
}

/** Runs the command line to its end. */
async function runMstore(args: readonly string[], options: ServiceOptions): Promise<Finished> {
  const child = spawn(process.execPath, [programOf(options), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, MSTORE_DATA: '' },
    ...options.runAs,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (octets: Buffer) => {
    stdout += octets.toString();
  });
  child.stderr.on('data', (octets: Buffer) => {
    stderr += octets.toString();
  });
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr };
}

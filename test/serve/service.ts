/** A service under test: a supervisor as a process, on a store of its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DirectoryAdministration } from '@mstore/directory';
import { parseListenAddress } from '@mstore/net';
import { createStore, Store } from '@mstore/store';
import { tempDirectory } from '../support/temp.ts';
import { assertClean } from '../support/temp-store.ts';

const pretended = fileURLToPath(new URL('./pretend-serve.js', import.meta.url));
const deadlineMs = 60_000;

/** Looks until `look` gives something else than undefined or false. */
export async function until<T>(
  what: string | (() => string),
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const end = process.uptime() + deadlineMs / 1_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    assert.ok(process.uptime() < end, `waited in vain: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What `run/ready.json` says. */
export interface Ready {
  readonly pid: number;
  readonly lmtp: readonly string[];
  readonly pop3: readonly string[];
  readonly imap: readonly string[];
  readonly metrics: readonly string[];
  readonly pids: {
    readonly supervisor: number;
    readonly writer: number;
    readonly pop3: readonly number[];
    readonly imap: readonly number[];
  };
  readonly down: Readonly<Record<string, string>>;
}

/** True while there is such a process that has not ended. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

/** One run of a supervisor. */
export class Service {
  readonly child: ChildProcess;
  readonly directory: string;
  #stderr = '';
  #stdout = '';
  readonly #closed: Promise<unknown>;

  constructor(directory: string, command: readonly string[]) {
    this.directory = directory;
    this.child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stderr?.on('data', (octets: Buffer) => {
      this.#stderr += octets.toString();
    });
    this.child.stdout?.on('data', (octets: Buffer) => {
      this.#stdout += octets.toString();
    });
    this.#closed = once(this.child, 'exit');
  }

  get stderr(): string {
    return this.#stderr;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Lines of the log of this name that say so. */
  logged(event: string): Record<string, unknown>[] {
    const lines = this.#stderr.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line)).filter((line) => line.event === event);
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The exit code, or the signal, when it has ended. */
  async exit(): Promise<unknown> {
    await Promise.race([this.#closed, until('the end of the service', () => !this.isRunning)]);
    return this.child.exitCode ?? this.child.signalCode;
  }

  /** What the file says, once it says something of this run that `isWanted`. */
  ready(isWanted: (ready: Ready) => boolean = () => true): Promise<Ready> {
    return until(
      () => `ready.json\n${this.#stderr}`,
      () => {
        assert.ok(this.isRunning, `the service ended: ${this.#stderr}`);
        const ready = readReady(this.directory);
        return ready !== undefined && ready.pid === this.pid && isWanted(ready) ? ready : undefined;
      },
    );
  }
}

export function readReady(directory: string): Ready | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, 'run/ready.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

/** A store with services, ended and checked with the scope. */
export class ServedStore implements AsyncDisposable {
  readonly folder: string;
  readonly directory: string;
  readonly #remove: () => Promise<void>;
  readonly #services: Service[] = [];

  private constructor(folder: string, remove: () => Promise<void>) {
    this.folder = folder;
    this.directory = join(folder, 'store');
    this.#remove = remove;
  }

  static async make(): Promise<ServedStore> {
    const temp = await tempDirectory();
    const store = new ServedStore(temp.path, async () => temp[Symbol.asyncDispose]());
    await createStore(store.directory);
    await (await DirectoryAdministration.create(join(store.directory, 'directory.sqlite'))).close();
    return store;
  }

  /** With pretended daemons. */
  pretend(...args: readonly string[]): Service {
    return this.start([pretended, this.directory, ...args]);
  }

  start(command: readonly string[]): Service {
    const service = new Service(this.directory, command);
    this.#services.push(service);
    return service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pids = readReady(this.directory)?.pids;
    for (const service of this.#services) service.child.kill('SIGKILL');
    for (const service of this.#services) await service.exit();
    for (const pid of [pids?.writer, ...(pids?.pop3 ?? []), ...(pids?.imap ?? [])]) {
      if (pid !== undefined && pid !== null) await until('the end of a child', () => !isAlive(pid));
    }
    const store = await Store.open(this.directory);
    await assertClean(store);
    await store.close();
    await this.#remove();
  }
}

/** A client that speaks lines. */
export class Lines {
  readonly socket: Socket;
  #heard = '';
  #ended = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#ended = true;
    });
    socket.on('data', (octets: Buffer) => {
      this.#heard += octets.toString('latin1');
    });
  }

  static open(address: string | undefined): Lines {
    const at = parseListenAddress(address ?? '');
    return new Lines(at.kind === 'unix' ? connect(at.path) : connect(at.port, at.host));
  }

  get heard(): string {
    return this.#heard;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  say(text: string): void {
    this.socket.write(text);
  }

  /** Waits for what was heard to match; it is forgotten. */
  async hears(pattern: RegExp): Promise<RegExpExecArray> {
    const match = await until(
      () => `${pattern}, heard ${JSON.stringify(this.#heard)}`,
      () => pattern.exec(this.#heard) ?? undefined,
    );
    this.#heard = this.#heard.slice(match.index + match[0].length);
    return match;
  }

  async ends(): Promise<void> {
    await until('the end of the connection', () => this.#ended);
  }
}

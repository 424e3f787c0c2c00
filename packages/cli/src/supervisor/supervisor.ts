/**
 * The service of one store: holds the listening sockets and the processes that serve them, says in `run/ready.json` that it runs, and
 * answers on the control socket and the metrics page. It touches neither mail nor the writer's lock.
 *
 * `run/serve.lock` makes it the only one of its store. Children end by themselves when it dies, however that comes, and the
 * addresses and locks that they still hold then are waited for by the next one.
 */
import { mkdir } from 'node:fs/promises';
import {
  type Clock,
  Crew,
  GatheredMetrics,
  type HeldSocket,
  type Listener,
  type Log,
  type MetricCounter,
  Metrics,
  type MetricsServer,
  parseListenAddress,
  type Running,
  serveMetrics,
  type TracePart,
} from '@mstore/net';
import { type FileLock, lockFile, lockHolder } from '@mstore/store';
import { CommandError, exit } from '../errors.ts';
import { type ControlRow, openControl } from './control.ts';
import { controlPath } from './control-client.ts';
import { Keeper } from './keeper.ts';
import { limits } from './limits.ts';
import type { Listening } from './listen.ts';
import type { Program } from './program.ts';
import { ReadyFile } from './ready-file.ts';
import type { Settings } from './settings.ts';
import { type BindOptions, bindAll, opening } from './sockets.ts';

export interface SupervisorOptions {
  /** The store's, as an absolute path. */
  readonly directory: string;
  /** `--config` as the children get it. */
  readonly configFile: string | undefined;
  readonly settings: Settings;
  /** The first is the writer: the others need it, and end before it. */
  readonly programs: readonly Program[];
  readonly listening: Listening;
  /** Where a port is taken, another will do. */
  readonly anyPort: boolean;
  /** ms that sessions have when the service stops. */
  readonly drainMs: number;
  readonly log: Log;
  readonly clock: Clock;
  /** Told once, when all listens and runs. */
  readonly ready?: (listening: Readonly<Record<string, readonly string[]>>) => void;
}

/** What the file and the log name even where nothing listens. */
const named = ['lmtp', 'pop3', 'imap', 'metrics'] as const;

export class Supervisor implements Running {
  readonly #options: SupervisorOptions;
  readonly #lock: FileLock;
  readonly #readyFile: ReadyFile;
  readonly #metrics: Metrics = new Metrics();
  readonly #leftOut: MetricCounter;
  #sockets: Map<string, HeldSocket[]> = new Map();
  #keepers: readonly Keeper[] = [];
  #pages: MetricsServer[] = [];
  #control: Listener | undefined;
  #isReady = false;
  #showAgain: NodeJS.Timeout | undefined;

  private constructor(options: SupervisorOptions, lock: FileLock) {
    this.#options = options;
    this.#lock = lock;
    this.#readyFile = new ReadyFile(`${options.directory}/run`);
    const byChild = (read: (keeper: Keeper) => number) => () =>
      this.#keepers.map((keeper): [string, number] => [keeper.name, read(keeper)]);
    const up = byChild(({ child }) => (child === undefined ? 0 : 1));
    this.#metrics.gauges('mstore_child_up', 'Whether a process of the service is ready', 'child', up);
    const restarts = byChild((keeper) => keeper.restarts);
    this.#metrics.gauges('mstore_child_restarts', 'Times that a process was started again', 'child', restarts);
    this.#leftOut = this.#metrics.counter(
      'mstore_metrics_left_out_total',
      'Pages without the metrics of a process, as it did not answer in time',
      ['child'],
    );
  }

  /**
   * Opens everything and starts the programs; resolves when all are ready, or `stopping` was raised.
   * @throws CommandError when another service runs, an address cannot be had, or a program refuses to run
   */
  static async start(options: SupervisorOptions, stopping: AbortSignal): Promise<Supervisor> {
    const { directory } = options;
    await mkdir(`${directory}/run`, { recursive: true, mode: 0o700 });
    const lock = lockFile(`${directory}/run/serve.lock`);
    if (lock === undefined) {
      const holder = lockHolder(`${directory}/run/serve.lock`);
      throw new CommandError(exit.tryAgain, `a service runs in ${directory} already (pid ${holder ?? 'unknown'})`);
    }
    const supervisor = new Supervisor(options, lock);
    // However this process ends, it leaves nothing that looks alive.
    process.once('exit', () => supervisor.#endNow());
    try {
      await supervisor.#open(stopping);
      return supervisor;
    } catch (error) {
      await supervisor.drain();
      throw error;
    }
  }

  get ready(): Readonly<Record<string, readonly string[]>> {
    const held = (name: string): string[] => (this.#sockets.get(name) ?? []).map(({ address }) => address);
    const all = named.map((name): [string, string[]] => [
      name,
      name === 'metrics' ? this.#pages.map(({ address }) => address) : held(name),
    ]);
    return Object.fromEntries(all);
  }

  async reload(): Promise<void> {
    const { settings, log } = this.#options;
    const pending = await settings.reload();
    if (pending.length > 0) log.warn('changed settings wait for a restart', { settings: pending });
    for (const keeper of this.#keepers) keeper.reload();
  }

  /** Ends in order: no new sessions, those there are, the writer, all the rest. */
  async drain(): Promise<void> {
    this.#isReady = false;
    this.#readyFile.removeNow();
    const killMs = this.#options.drainMs * 2 + limits.killGraceMs;
    const [writer, ...others] = this.#keepers;
    // It takes no more mail meanwhile, but does what other sessions ask of it.
    writer?.child?.ask('drain').catch(() => undefined);
    const ended = others.map((keeper) => keeper.stop(killMs));
    // Who waits in the kernel's queue would wait for nobody. The children that still listen have their own descriptors.
    for (const { program } of this.#keepers) this.#closeSockets(program.sockets);
    await Promise.all(ended);
    await writer?.stop(killMs);
    this.#closeSockets([...this.#sockets.keys()]);
    await this.#control?.drain(0);
    await Promise.all(this.#pages.map((page) => page.close()));
    this.#lock.release();
  }

  async #open(stopping: AbortSignal): Promise<void> {
    const { directory, listening, programs, log, clock, anyPort } = this.#options;
    const wasKilled = await this.#readyFile.clear();
    if (wasKilled) log.warn('the service before did not end in good order');
    const bind: BindOptions = { clock, anyPort, stopping, waitMs: wasKilled ? limits.addressWaitMs : 0 };
    const lda = parseListenAddress(`unix:${directory}/run/lda.sock`);
    const held = [...listening].filter(([name]) => name !== 'metrics');
    this.#sockets = await bindAll(new Map([...held, ['lda', [lda]]]), bind);
    const gathered = new GatheredMetrics(() => this.#gather());
    for (const address of listening.get('metrics') ?? []) {
      this.#pages.push(await opening('metrics', address, bind, (at) => serveMetrics(gathered, at)));
    }
    this.#control = await openControl(controlPath(directory), this, log);
    const isWanted = ({ sockets }: Program): boolean => sockets.some((name) => this.#sockets.get(name)?.length);
    const wanted = programs.filter(isWanted).map((program) => this.#keepersOf(program));
    this.#keepers = wanted.flat();
    const stopped = new Promise<void>((resolve) => stopping.addEventListener('abort', () => resolve()));
    for (const keepers of wanted) {
      if (stopping.aborted) return;
      await Promise.race([Promise.all(keepers.map((keeper) => keeper.start())), stopped]);
    }
    if (stopping.aborted) return;
    this.#isReady = true;
    await this.#showState();
    this.#options.ready?.(this.ready);
  }

  /** One for each process of a program. */
  #keepersOf(program: Program): readonly Keeper[] {
    const { directory, configFile, log, clock, settings } = this.#options;
    const args = ['--data', directory, ...(configFile === undefined ? [] : ['--config', configFile])];
    const changed = (): void => {
      void this.#showState();
    };
    const common = { program, args, sockets: this.#sockets, clock, log, changed, crew: new Crew() };
    const workers = program.workers?.(settings.loaded.config);
    if (workers === undefined) return [new Keeper({ ...common, name: program.name })];
    return Array.from({ length: workers }, (_, at) => new Keeper({ ...common, name: `${program.name}-${at + 1}` }));
  }

  /** Mail is served whether the file can be written or not: on a full disk people still read, and delete. */
  async #showState(): Promise<void> {
    if (!this.#isReady) return;
    try {
      await this.#tellReady();
    } catch (error) {
      this.#options.log.error('ready.json is not current', {}, error);
      clearTimeout(this.#showAgain);
      this.#showAgain = setTimeout(() => void this.#showState(), limits.readyRetryMs).unref();
    }
  }

  #tellReady(): Promise<void> {
    const pidsOf = (name: string): number[] =>
      this.#keepers.flatMap(({ program, pid }) => (program.name === name && pid !== undefined ? [pid] : []));
    const [writer = null] = pidsOf('writer');
    return this.#readyFile.write(process.pid, {
      listening: this.ready,
      pids: { supervisor: process.pid, writer, pop3: pidsOf('pop3'), imap: pidsOf('imap') },
      down: Object.fromEntries(this.#keepers.flatMap(({ name, down }) => (down === undefined ? [] : [[name, down]]))),
    });
  }

  /** How each process is, and what the writer says of its disk. */
  async health(): Promise<readonly object[]> {
    return Promise.all(
      this.#keepers.map(async ({ name, pid = null, restarts, down = null, child }, at) => {
        // The first is the writer.
        const health = at === 0 ? await child?.ask('health').catch(() => null) : null;
        return { program: name, pid, restarts, down, health: health ?? null };
      }),
    );
  }

  async who(): Promise<{ readonly rows: readonly ControlRow[]; readonly silent: readonly string[] }> {
    const { answers, silent } = await this.#askAll('who', []);
    const rows = answers.flatMap(({ keeper, pid, value }) =>
      (Array.isArray(value) ? value : []).map((row: object) => ({ ...row, process: keeper.program.name, pid })),
    );
    return { rows, silent };
  }

  async kick(names: readonly string[]): Promise<{ readonly kicked: number; readonly silent: readonly string[] }> {
    const choices = names.flatMap((name) => [
      ['id', name],
      ['login', name],
    ]);
    const asked = await Promise.all(choices.map((choice) => this.#askAll('kick', choice)));
    const kicked = asked.flatMap(({ answers }) => answers.map(({ value }) => Number(value)));
    const silent = new Set(asked.flatMap((all) => all.silent));
    return { kicked: kicked.reduce((sum, count) => sum + count, 0), silent: [...silent] };
  }

  async traced(key: string, names: readonly string[]): Promise<TracePart> {
    const parts = await Promise.all(
      // One that is busy, or just ended, has its say the next time.
      this.#keepers.map(({ child }) => child?.ask('trace', [key, ...names]).catch(() => undefined)),
    );
    const told = parts.filter(isTracePart);
    const rows = told.flatMap((part) => part.rows).sort((a, b) => a.time - b.time);
    return { rows, lost: told.reduce((sum, { lost }) => sum + lost, 0) };
  }

  async #gather(): Promise<ReadonlyMap<string, readonly object[]>> {
    const { answers, silent } = await this.#askAll('metrics', []);
    for (const child of silent) this.#leftOut.add(1, { child });
    const counted = answers.map(({ keeper, value }): [string, readonly object[]] => [
      keeper.name,
      Array.isArray(value) ? value : [],
    ]);
    return new Map([['supervisor', await this.#metrics.json()], ...counted]);
  }

  async #askAll(about: string, args: readonly string[]): Promise<Answers> {
    const silent: string[] = [];
    const answers = await Promise.all(
      this.#keepers.map(async (keeper) => {
        const { child } = keeper;
        try {
          if (child?.pid !== undefined) return [{ keeper, pid: child.pid, value: await child.ask(about, args) }];
        } catch (error) {
          this.#options.log.warn('no answer', { child: keeper.name, about }, error);
        }
        silent.push(keeper.name);
        return [];
      }),
    );
    return { answers: answers.flat(), silent };
  }

  #closeSockets(names: readonly string[]): void {
    for (const name of names) {
      for (const socket of this.#sockets.get(name) ?? []) socket.close();
      this.#sockets.delete(name);
    }
  }

  #endNow(): void {
    for (const keeper of this.#keepers) keeper.kill();
    this.#readyFile.removeNow();
  }
}

/** Children are ours: what they answer is what it says it is. */
function isTracePart(value: unknown): value is TracePart {
  return typeof value === 'object' && value !== null && 'rows' in value && 'lost' in value;
}

interface Answers {
  readonly answers: readonly { readonly keeper: Keeper; readonly pid: number; readonly value: unknown }[];
  /** Those that gave none. */
  readonly silent: readonly string[];
}

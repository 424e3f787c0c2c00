/** A POP3 daemon in this process, on a store, a writer's socket and a user directory of its own; and a client for it. */
import assert from 'node:assert/strict';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Backing, type RunningDaemon } from '@mstore/access';
import { DirectoryAdministration } from '@mstore/directory';
import { type Clock, openLog } from '@mstore/net';
import { startPop3 } from '@mstore/pop3d/internal/pop3d';
import {
  type AccountId,
  brandNumber,
  type Config,
  inbox,
  loadConfig,
  type MailboxId,
  type StoreReading,
  socketPath,
} from '@mstore/store';
import { WriterServer } from '@mstore/store/internal/writer/server';
import { type TempStore, tempStore } from './temp-store.ts';

export const password = 'open sesame';

type PopConfig = Partial<Config['pop3']> & { readonly route?: string; readonly expire?: number };

export interface PopOptions {
  readonly config?: PopConfig;
  readonly clock?: Clock;
  /** Logins; `a@example.org` unless given. Their ids are 1, 2 … */
  readonly users?: readonly string[];
  /** Theirs; `password` unless given. */
  readonly passwords?: readonly string[];
}

/** A clock that stands until it is moved. */
export class TestClock implements Clock {
  #ms = 1_000_000;

  now(): number {
    return this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  advance(ms: number): void {
    this.#ms += ms;
  }
}

/** What the tests have in hand. */
export class PopSite implements AsyncDisposable {
  readonly temp: TempStore;
  readonly logLines: string[];
  #server: WriterServer | undefined;
  #daemon: RunningDaemon | undefined;
  #config: Config | undefined;
  #backing: Backing | undefined;
  readonly #clients: PopClient[] = [];

  private constructor(temp: TempStore, logLines: string[]) {
    this.temp = temp;
    this.logLines = logLines;
  }

  static async start({
    config = {},
    clock,
    users = ['a@example.org'],
    passwords = [],
  }: PopOptions = {}): Promise<PopSite> {
    const temp = await tempStore();
    const lines: string[] = [];
    const site = new PopSite(temp, lines);
    const administration = await DirectoryAdministration.create(`${temp.directory}/directory.sqlite`);
    for (const [n, address] of users.entries()) {
      await administration.addUser(address, { password: passwords[n] ?? password });
    }
    await administration.close();
    await site.startWriter();
    const loaded = (await loadConfig(temp.directory)).config;
    const { route = 'local', expire = 0, ...pop3 } = config;
    const full: Config = {
      ...loaded,
      listen: { ...loaded.listen, pop3: ['127.0.0.1:0'] },
      server: { ...loaded.server, route },
      retention: { ...loaded.retention, pop3: expire },
      pop3: { ...loaded.pop3, ...pop3 },
    };
    site.#backing = await Backing.open(temp.directory, loaded, clock);
    const log = openLog({ name: 'pop3d', to: { write: (line) => lines.push(line) } });
    const options = {
      directory: temp.directory,
      config: full,
      log,
      sockets: [],
      ...(clock !== undefined && { clock }),
    };
    site.#config = full;
    site.#daemon = await startPop3(options, site.#backing);
    return site;
  }

  /** What the daemon was started with. */
  get config(): Config {
    assert.ok(this.#config !== undefined);
    return this.#config;
  }

  get daemon(): RunningDaemon {
    assert.ok(this.#daemon !== undefined);
    return this.#daemon;
  }

  /** The store as the daemon reads it. */
  get reading(): StoreReading {
    assert.ok(this.#backing !== undefined);
    return this.#backing.reading;
  }

  async startWriter(): Promise<void> {
    this.#server = await WriterServer.listen(this.temp.store, socketPath(this.temp.directory));
  }

  async stopWriter(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }

  /** In the writer's place, somebody who takes requests and answers none. */
  async replaceWriterBySilence(): Promise<SilentWriter> {
    await this.stopWriter();
    return SilentWriter.listen(socketPath(this.temp.directory));
  }

  /** The account of user number `id`, made as a login would. */
  async account(id: number = 1, name: string = 'a@example.org'): Promise<AccountId> {
    const wanted = { id: brandNumber<AccountId>(id), name, quotaBytes: 0, quotaMessages: 0 };
    return (await this.temp.store.ensureAccount(wanted)).account;
  }

  async inbox(id: number = 1, name: string = 'a@example.org'): Promise<MailboxId> {
    const mailbox = this.temp.store.catalog().mailboxNamed(await this.account(id, name), inbox);
    assert.ok(mailbox !== undefined);
    return mailbox.id;
  }

  /** Delivers messages with trace lines on top, and waits until readers see them. */
  async deliver(messages: readonly (Buffer | string)[], trace: string = 'Delivered-To: a\r\n'): Promise<void> {
    const { store } = this.temp;
    const account = await this.account();
    for (const message of messages) {
      const octets = Buffer.isBuffer(message) ? Buffer.from(message) : Buffer.from(message, 'latin1');
      const [result] = await store.deliver(await store.take(octets), [{ account, trace: Buffer.from(trace) }]);
      assert.ok(result?.ok);
    }
    await store.settle();
  }

  /** Waits for what is to come; fails after ten seconds. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!condition()) {
      assert.ok(performance.now() < deadline, `it did not come to pass: ${what}`);
      await sleep(5);
    }
  }

  /** A connection, greeted. */
  async connect(): Promise<PopClient> {
    const [address = ''] = this.daemon.ready?.pop3 ?? [];
    const client = await PopClient.open(Number(address.slice(address.lastIndexOf(':') + 1)));
    this.#clients.push(client);
    assert.match(await client.line(), /^\+OK [^<>]*$/);
    return client;
  }

  /** A connection, logged in. */
  async logIn(login: string = 'a@example.org'): Promise<PopClient> {
    const client = await this.connect();
    assert.match(await client.ask(`USER ${login}`), /^\+OK/);
    assert.match(await client.ask(`PASS ${password}`), /^\+OK/);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.drop();
    await this.daemon.drain(2_000);
    await this.#backing?.close();
    await this.stopWriter();
    await this.temp[Symbol.asyncDispose]();
  }
}

/** Takes requests and answers none. */
export class SilentWriter implements AsyncDisposable {
  requests = 0;
  /** Resolves with the first request. */
  readonly asked: Promise<void>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer();
    this.asked = new Promise((resolve) => {
      this.#server.on('connection', (socket) => {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('data', () => {
          this.requests += 1;
          resolve();
        });
      });
    });
  }

  static async listen(path: string): Promise<SilentWriter> {
    const writer = new SilentWriter();
    await new Promise<void>((resolve) => writer.#server.listen(path, resolve));
    return writer;
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** A client that says what it is told, and hears octets. */
export class PopClient {
  readonly socket: Socket;
  /** What was heard and not taken lies from `#from` to `#to`. */
  #buffer = Buffer.alloc(65_536);
  #from = 0;
  #to = 0;
  #ended = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (octets) => {
      this.#keep(octets);
      this.#wake();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    socket.on('close', end).on('end', end).on('error', end);
  }

  #keep(octets: Buffer): void {
    if (this.#to + octets.length > this.#buffer.length) {
      const held = this.#heard;
      // What was given out stays as it is: it may be a view of the old buffer.
      this.#buffer = Buffer.alloc(Math.max(65_536, (held.length + octets.length) * 2));
      held.copy(this.#buffer);
      this.#from = 0;
      this.#to = held.length;
    }
    this.#to += octets.copy(this.#buffer, this.#to);
  }

  get #heard(): Buffer {
    return this.#buffer.subarray(this.#from, this.#to);
  }

  static async open(port: number): Promise<PopClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const client = new PopClient(socket);
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    return client;
  }

  say(text: string | Buffer): void {
    this.socket.write(text);
  }

  /** The next line, without its end. */
  async line(): Promise<string> {
    return (await this.#upTo(Buffer.from('\r\n'))).toString('utf8').slice(0, -2);
  }

  /** Sends a command; the first line of its answer. */
  ask(command: string): Promise<string> {
    this.say(`${command}\r\n`);
    return this.line();
  }

  /** What follows a first line up to the final dot: as it came, CRLF included, the dot not. */
  async block(): Promise<Buffer> {
    if ((await this.#atLeast(3)).subarray(0, 3).toString('latin1') === '.\r\n') {
      this.#from += 3;
      return Buffer.alloc(0);
    }
    const octets = await this.#upTo(Buffer.from('\r\n.\r\n'));
    return octets.subarray(0, -3);
  }

  /** Sends a command that is answered with lines; these lines. */
  async list(command: string): Promise<string[]> {
    assert.match(await this.ask(command), /^\+OK/);
    return (await this.block()).toString('latin1').split('\r\n').slice(0, -1);
  }

  /** A message's octets as RETR or TOP brings them, dots undone. */
  async message(command: string): Promise<Buffer> {
    assert.match(await this.ask(command), /^\+OK/);
    return this.undotted();
  }

  /** A block with the dots before dots taken out. */
  async undotted(): Promise<Buffer> {
    return withoutDots(await this.block());
  }

  /** Resolves when the server has ended; what came before that. */
  async ended(): Promise<string> {
    while (!this.#ended) await this.#more();
    return this.#heard.toString('latin1');
  }

  /** Breaks the connection off. */
  drop(): void {
    this.socket.destroy();
  }

  async quit(): Promise<string> {
    const answer = await this.ask('QUIT');
    this.socket.end();
    await this.ended();
    return answer;
  }

  async #upTo(mark: Buffer): Promise<Buffer> {
    for (let from = 0; ; ) {
      const at = this.#heard.indexOf(mark, from);
      if (at !== -1) {
        const octets = this.#heard.subarray(0, at + mark.length);
        this.#from += octets.length;
        return octets;
      }
      from = Math.max(0, this.#heard.length - mark.length);
      await this.#more();
    }
  }

  async #atLeast(bytes: number): Promise<Buffer> {
    while (this.#heard.length < bytes) await this.#more();
    return this.#heard;
  }

  async #more(): Promise<void> {
    assert.ok(!this.#ended, `the server ended after ${JSON.stringify(this.#heard.subarray(-200).toString('latin1'))}`);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

function withoutDots(block: Buffer): Buffer {
  const text = block.toString('latin1');
  const undone = text.startsWith('.') ? text.slice(1) : text;
  return Buffer.from(undone.replaceAll('\r\n..', '\r\n.'), 'latin1');
}

/** The LMTP daemon in this process, on a real store and a real directory, and a client that sends what it is told, octet for octet. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { CachedDirectory, DirectoryAdministration, SqliteDirectory } from '@mstore/directory';
import { Delivery, DeliveryLog, type DeliverySettings, Lmtpd } from '@mstore/lda';
import {
  type ConnectionTimeouts,
  type Log,
  Metrics,
  openLog,
  parseListenAddress,
  SessionTable,
  systemClock,
} from '@mstore/net';
import type { Entry, StoreOptions } from '@mstore/store';
import type { SimMachineOptions } from '../support/sim-machine.ts';
import { type TempDirectory, tempDirectory } from '../support/temp.ts';
import { simStore, type TempStore, tempStore } from '../support/temp-store.ts';

export interface DaemonOptions {
  readonly store?: StoreOptions;
  /** The store is on a simulated machine. */
  readonly simulated?: SimMachineOptions;
  readonly settings?: Partial<DeliverySettings>;
  readonly messageBytes?: number;
  readonly timeouts?: ConnectionTimeouts;
  readonly connectionsMax?: number;
}

/** What the log said, line by line. */
export class LoggedLines {
  readonly lines: Record<string, unknown>[] = [];

  write(text: string): void {
    for (const line of text.split('\n')) if (line !== '') this.lines.push(JSON.parse(line));
  }

  of(event: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line.event === event);
  }
}

/** A running daemon; its store is checked when the scope ends. */
export class Daemon implements AsyncDisposable {
  readonly temp: TempStore;
  readonly users: DirectoryAdministration;
  readonly directory: CachedDirectory;
  readonly delivery: Delivery;
  readonly lmtpd: Lmtpd;
  readonly logged: LoggedLines;
  readonly metrics: Metrics;
  readonly sessions: SessionTable;
  readonly #folder: TempDirectory;
  readonly #clients: LmtpClient[] = [];
  address = '';

  private constructor(temp: TempStore, folder: TempDirectory, users: DirectoryAdministration, options: DaemonOptions) {
    this.temp = temp;
    this.#folder = folder;
    this.users = users;
    this.directory = new CachedDirectory(new SqliteDirectory(this.directoryFile, { changePollMs: 20 }));
    this.logged = new LoggedLines();
    this.metrics = new Metrics(false);
    this.sessions = new SessionTable();
    const log: Log = openLog({ name: 'lmtpd', to: this.logged });
    const settings = {
      name: 'mx.test',
      route: 'local',
      overQuota: 'temporary',
      detail: 'inbox',
      ...options.settings,
    } as const;
    const { store } = temp;
    const catalog = (): ReturnType<typeof store.catalog> => store.catalog();
    this.delivery = new Delivery({ directory: this.directory, writer: store, catalog, settings, clock: systemClock });
    this.lmtpd = new Lmtpd({
      delivery: this.delivery,
      writer: store,
      expectDelivery: () => store.expectDelivery(),
      messageBytes: options.messageBytes ?? 67_108_864,
      log,
      record: new DeliveryLog(log, this.metrics),
      clock: systemClock,
      sessions: this.sessions,
      connectionsMax: options.connectionsMax ?? 100,
      timeouts: options.timeouts ?? {},
    });
  }

  /** With the users that are named. */
  static async start(users: readonly string[], options: DaemonOptions = {}): Promise<Daemon> {
    const { messageBytes } = options;
    const storeOptions = { ...options.store, ...(messageBytes !== undefined && { messageBytes }) };
    const temp = await (options.simulated === undefined
      ? tempStore(storeOptions)
      : simStore(storeOptions, options.simulated));
    const folder = await tempDirectory();
    const administration = await DirectoryAdministration.create(`${folder.path}/directory.sqlite`);
    for (const user of users) await administration.addUser(user);
    const daemon = new Daemon(temp, folder, administration, options);
    daemon.address = await daemon.lmtpd.listen(parseListenAddress('127.0.0.1:0'));
    return daemon;
  }

  get directoryFile(): string {
    return `${this.#folder.path}/directory.sqlite`;
  }

  async client(): Promise<LmtpClient> {
    const client = await LmtpClient.dial(this.address);
    this.#clients.push(client);
    return client;
  }

  /** A client that has said LHLO. */
  async greeted(): Promise<LmtpClient> {
    const client = await this.client();
    await client.reply();
    await client.say('LHLO client.test');
    return client;
  }

  /** What a user has in a mailbox. */
  entries(login: string, mailbox = 'INBOX'): Entry[] {
    const catalog = this.temp.store.catalog();
    const account = catalog.accountNamed(login);
    const found = account === undefined ? undefined : catalog.mailboxNamed(account.id, mailbox);
    return found === undefined ? [] : [...catalog.entries(found.id)];
  }

  /** The messages of a mailbox, as text of octets. */
  async messages(login: string, mailbox = 'INBOX'): Promise<string[]> {
    await this.temp.store.settle();
    const texts: string[] = [];
    for (const entry of this.entries(login, mailbox)) {
      const message = await this.temp.store.open(entry);
      const pieces: Buffer[] = [];
      for await (const piece of message.octets()) pieces.push(piece);
      texts.push(Buffer.concat(pieces).toString('latin1'));
    }
    return texts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.lmtpd.drain(1_000);
    await this.directory.close();
    await this.users.close();
    await this.#folder[Symbol.asyncDispose]();
    await this.temp[Symbol.asyncDispose]();
  }
}

/** A connection whose replies are read one by one. */
export class LmtpClient {
  readonly socket: Socket;
  #text = '';
  #ended = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (octets: Buffer) => {
      this.#text += octets.toString('utf8');
      this.#wake();
    });
    for (const event of ['end', 'error', 'close']) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  static async dial(address: string): Promise<LmtpClient> {
    const at = parseListenAddress(address);
    const socket = at.kind === 'tcp' ? connect(at.port, at.host) : connect(at.path);
    socket.setNoDelay(true);
    const client = new LmtpClient(socket);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return client;
  }

  send(octets: string | Buffer): void {
    this.socket.write(octets);
  }

  /** The next reply, whose lines are joined by line feeds; empty when the server ended. */
  async reply(): Promise<string> {
    const deadline = performance.now() + 20_000;
    for (;;) {
      const match = /^(?:\d{3}-[^\n]*\r\n)*\d{3} [^\n]*\r\n/.exec(this.#text);
      if (match !== null) {
        this.#text = this.#text.slice(match[0].length);
        return match[0].trimEnd().replaceAll('\r\n', '\n');
      }
      if (this.#ended) return this.#text;
      assert.ok(performance.now() < deadline, `no reply but ${JSON.stringify(this.#text)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async replies(count: number): Promise<string[]> {
    const replies: string[] = [];
    while (replies.length < count) replies.push(await this.reply());
    return replies;
  }

  /** Sends a command line and gives its reply. */
  async say(command: string): Promise<string> {
    this.send(`${command}\r\n`);
    return this.reply();
  }

  /** MAIL, RCPT for each, DATA and the message as it is given, dots included; the replies behind the content. */
  async deliver(
    recipients: readonly string[],
    message: string | Buffer,
    sender = 'sender@example.org',
  ): Promise<string[]> {
    assert.match(await this.say(`MAIL FROM:<${sender}>`), /^250 /);
    for (const recipient of recipients) assert.match(await this.say(`RCPT TO:<${recipient}>`), /^250 /);
    assert.match(await this.say('DATA'), /^354 /);
    this.send(message);
    this.send('.\r\n');
    return this.replies(recipients.length);
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/**
 * LMTP, POP3 and IMAP daemons in this process, on a real store, its writer's socket and a user directory of their own. What a test
 * of a protocol needs when it wants to look behind it; `service.ts` runs the same as processes. At the end the store is checked,
 * and no daemon may have logged an error.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Backing } from '@mstore/access';
import {
  CachedDirectory,
  DirectoryAdministration,
  isDirectoryError,
  SqliteDirectory,
  type User,
} from '@mstore/directory';
import { startImap } from '@mstore/imapd/internal/imapd';
import { Delivery, DeliveryLog, deliverySettings, LdaServer, Lmtpd, pipeSettings } from '@mstore/lda';
import {
  type Clock,
  type ConnectionTimeouts,
  type Log,
  Metrics,
  openLog,
  parseListenAddress,
  type Running,
  SessionTable,
  systemClock,
} from '@mstore/net';
import { startPop3 } from '@mstore/pop3d/internal/pop3d';
import {
  type AccountId,
  brandNumber,
  type Config,
  createStore,
  inbox,
  isStoreError,
  type MailboxId,
  mailboxName,
  Store,
  type StoreReading,
  socketPath,
} from '@mstore/store';
import { WriterServer } from '@mstore/store/internal/writer/server';
import { configure, openStore } from './configured-store.ts';
import { Peer } from './peer.ts';
import { tempDirectory } from './temp.ts';
import { assertClean } from './temp-store.ts';
import { TroubledDisk } from './troubled-disk.ts';

/** How long a test waits for what must come. */
const patienceMs = 20_000;

export interface DaemonsOptions {
  /** Lines `table.key = value` of the configuration. */
  readonly config?: readonly string[];
  readonly clock?: Clock;
  /** What a daemon may log as an error, where a test provokes one. */
  readonly mayLog?: RegExp;
  /** How long LMTP waits for its peers. */
  readonly lmtpTimeouts?: ConnectionTimeouts;
}

interface Listening {
  readonly lmtpd: Lmtpd;
  readonly lda: LdaServer;
  /** By protocol. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly pop3d: Running;
  readonly backing: Backing;
  readonly imapd: Running;
  readonly imapBacking: Backing;
  readonly server: WriterServer;
}

export class Daemons implements AsyncDisposable {
  readonly directory: string;
  readonly config: Config;
  store: Store;
  readonly disk: TroubledDisk;
  readonly administration: DirectoryAdministration;
  readonly users: CachedDirectory;
  /** What the daemons logged as errors. */
  readonly errorLines: string[] = [];
  readonly #options: DaemonsOptions;
  readonly #remove: () => Promise<void>;
  readonly #lmtpSessions = new SessionTable();
  #running: Listening | undefined;

  private constructor(
    parts: Pick<Daemons, 'directory' | 'config' | 'store' | 'disk' | 'administration'>,
    options: DaemonsOptions,
    remove: () => Promise<void>,
  ) {
    this.directory = parts.directory;
    this.config = parts.config;
    this.store = parts.store;
    this.disk = parts.disk;
    this.administration = parts.administration;
    this.#options = options;
    this.#remove = remove;
    const sqlite = new SqliteDirectory(`${parts.directory}/directory.sqlite`, {
      detailSeparator: parts.config.delivery.detailSeparator,
      storeServer: parts.config.server.route,
      changePollMs: 50,
    });
    // Nothing is kept fresh: what a test changes is seen at once.
    this.users = new CachedDirectory(sqlite, { freshMs: 0 });
  }

  /** A store and a directory, both empty; nobody listens. */
  static async prepare(options: DaemonsOptions = {}): Promise<Daemons> {
    const temp = await tempDirectory();
    const directory = temp.path;
    const disk = new TroubledDisk();
    await createStore(directory);
    const config = await configure(directory, options.config ?? []);
    const store = await openStore(directory, disk, config);
    const administration = await DirectoryAdministration.create(`${directory}/directory.sqlite`);
    const parts = { directory, config, store, disk, administration };
    return new Daemons(parts, options, async () => temp[Symbol.asyncDispose]());
  }

  /** With the daemons listening. */
  static async start(options: DaemonsOptions = {}): Promise<Daemons> {
    const daemons = await Daemons.prepare(options);
    await daemons.start();
    return daemons;
  }

  async start(): Promise<void> {
    const server = await WriterServer.listen(this.store, socketPath(this.directory));
    const { lmtpd, lda } = this.#doors();
    const lmtp = await lmtpd.listen(parseListenAddress('127.0.0.1:0'));
    const piped = await lda.listen(parseListenAddress(`unix:${this.directory}/run/lda.sock`));
    const anyPort = ['127.0.0.1:0'];
    const config = { ...this.config, listen: { ...this.config.listen, pop3: anyPort, imap: anyPort } };
    const backing = await Backing.open(this.directory, config, this.#options.clock);
    const pop3d = await startPop3(
      { directory: this.directory, config, log: this.#log('pop3d'), sockets: [], ...this.#clock() },
      backing,
    );
    const imapBacking = await Backing.open(this.directory, config, this.#options.clock);
    const imapd = await startImap(
      { directory: this.directory, config, log: this.#log('imapd'), sockets: [], ...this.#clock() },
      imapBacking,
    );
    const addresses = new Map([
      ['lmtp', lmtp],
      ['lda', piped],
      ['pop3', pop3d.ready?.pop3?.[0] ?? ''],
      ['imap', imapd.ready?.imap?.[0] ?? ''],
    ]);
    this.#running = { lmtpd, lda, addresses, pop3d, backing, imapd, imapBacking, server };
  }

  /** Ends daemons and writer, does something to what they leave, and starts them again; addresses are others then. */
  async restart(between: () => Promise<void> = async () => undefined): Promise<void> {
    await this.#stop();
    await this.#close();
    await between();
    this.store = await openStore(this.directory, this.disk, this.config);
    await this.start();
  }

  /** Where a protocol's daemon listens. */
  address(protocol: string): string {
    const address = this.#running?.addresses.get(protocol);
    assert.ok(address !== undefined, `nobody listens for ${protocol}`);
    return address;
  }

  /** What the IMAP daemon reads the store through. */
  get imapReading(): StoreReading {
    assert.ok(this.#running !== undefined, 'the daemons listen');
    return this.#running.imapBacking.reading;
  }

  connect(protocol: 'lmtp' | 'pop3' | 'imap', patience?: number): Promise<Peer> {
    return Peer.connect(this.address(protocol), patience);
  }

  /** Tells the daemons to stop: no new connections, and those there are end at their next command. */
  drain(): void {
    void this.#running?.lmtpd.drain(patienceMs);
    void this.#running?.pop3d.drain(patienceMs);
    void this.#running?.imapd.drain(patienceMs);
  }

  /** Closes the writer's socket, as if its process had ended. */
  async endWriter(): Promise<void> {
    await this.#running?.server.close();
  }

  /** How many connections a daemon has. */
  async connections(protocol: 'lmtp' | 'pop3' | 'imap'): Promise<number> {
    if (protocol === 'lmtp') return this.#lmtpSessions.rows().length;
    const rows = await this.#running?.[protocol === 'pop3' ? 'pop3d' : 'imapd'].answer?.('who', []);
    return Array.isArray(rows) ? rows.length : 0;
  }

  /** Adds a user whose password costs nothing to check. */
  async addUser(address: string, password: string = 'secret', quota: string = '0'): Promise<User> {
    const salt = randomBytes(8);
    const digest = createHash('sha512').update(password).update(salt).digest();
    const stored = Buffer.concat([digest, salt]).toString('base64');
    const report = await this.administration.importUsers([`${address} {SSHA512}${stored} ${quota}`]);
    assert.equal(report.added, 1, report.problems.map(({ problem }) => problem).join());
    return this.user(address);
  }

  async user(address: string): Promise<User> {
    const user = await this.users.userNamed(address);
    assert.ok(user !== undefined, `no user ${address}`);
    return user;
  }

  /** The user's account, made as a delivery would. */
  async account(address: string): Promise<AccountId> {
    const { id, address: name, quotaBytes, quotaMessages } = await this.user(address);
    const known = brandNumber<AccountId>(id);
    if (this.store.catalog().account(known) !== undefined) return known;
    const wanted = { id: brandNumber<AccountId>(id), name, quotaBytes, quotaMessages };
    return (await this.store.ensureAccount(wanted)).account;
  }

  async mailbox(address: string, name: string = inbox): Promise<MailboxId> {
    const found = this.store.catalog().mailboxNamed(await this.account(address), mailboxName(name));
    assert.ok(found !== undefined, `${address} has no mailbox ${name}`);
    return found.id;
  }

  /** Delivers beside the daemons, without trace lines, and waits until readers see it. */
  async deliver(address: string, octets: Buffer, name: string = inbox): Promise<void> {
    const account = await this.account(address);
    const target = { account, mailbox: mailboxName(name), trace: Buffer.alloc(0) };
    const [result] = await this.store.deliver(await this.store.take(Buffer.from(octets)), [target]);
    assert.ok(result?.ok);
    await this.store.settle();
  }

  /** How many messages a mailbox holds. */
  async count(address: string, name: string = inbox): Promise<number> {
    await this.#settle();
    return this.store.catalog().mailbox(await this.mailbox(address, name))?.messages ?? 0;
  }

  /** Every message of a mailbox, by UID. */
  async messages(address: string, name: string = inbox): Promise<Map<number, Buffer>> {
    await this.#settle();
    const messages = new Map<number, Buffer>();
    for (const entry of [...this.store.catalog().entries(await this.mailbox(address, name))]) {
      messages.set(entry.uid, await (await this.store.open(entry)).whole());
    }
    return messages;
  }

  /** Takes the directory's file away, or gives it back, and waits until the daemons see that. */
  async setDirectory(isThere: boolean): Promise<void> {
    const path = `${this.directory}/directory.sqlite`;
    await (isThere ? rename(`${path}.away`, path) : rename(path, `${path}.away`));
    await until('LMTP sees the directory', async () => (await this.#canResolve()) === isThere);
    await until('POP3 sees the directory', async () => (await this.#canLogIn()) === isThere);
    await until('IMAP sees the directory', async () => (await this.#canLogInToImap()) === isThere);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#stop();
      await this.users.close();
      await this.administration.close();
      await this.#close();
      // What the daemons left is what the next writer finds.
      const store = await Store.open(this.directory);
      await assertClean(store).finally(() => store.close());
      const { mayLog } = this.#options;
      assert.deepEqual(
        this.errorLines.filter((line) => mayLog?.test(line) !== true),
        [],
      );
    } finally {
      await this.#remove();
    }
  }

  async #stop(): Promise<void> {
    await this.#running?.lmtpd.drain(2_000);
    await this.#running?.lda.drain(2_000);
    await this.#running?.pop3d.drain(2_000);
    await this.#running?.backing.close();
    await this.#running?.imapd.drain(2_000);
    await this.#running?.imapBacking.close();
    await this.#running?.server.close();
    this.#running = undefined;
  }

  /** A store whose disk failed under it has nothing to finish, and says so. */
  async #close(): Promise<void> {
    await this.store.close().catch((error: unknown) => {
      if (!isStoreError(error, 'readOnly') || !this.disk.hadTrouble) throw error;
    });
  }

  async #settle(): Promise<void> {
    await this.store.settle().catch((error: unknown) => {
      if (!isStoreError(error, 'readOnly') || !this.disk.hadTrouble) throw error;
    });
  }

  /** The two ways in for mail. */
  #doors(): { readonly lmtpd: Lmtpd; readonly lda: LdaServer } {
    const { config, store } = this;
    const clock = this.#options.clock ?? systemClock;
    const settings = { ...deliverySettings(config), name: 'mx.test' };
    const metrics = new Metrics();
    const log = this.#log('writer');
    const common = {
      delivery: new Delivery({ directory: this.users, writer: store, catalog: () => store.catalog(), settings, clock }),
      writer: store,
      log,
      record: new DeliveryLog(log, metrics),
      clock,
    };
    const timeouts = this.#options.lmtpTimeouts;
    const lmtpd = new Lmtpd({
      ...common,
      expectDelivery: () => store.expectDelivery(),
      messageBytes: config.limits.messageBytes,
      sessions: this.#lmtpSessions,
      connectionsMax: config.lmtp.connections,
      ...(timeouts !== undefined && { timeouts }),
    });
    return {
      lmtpd,
      lda: new LdaServer({ ...common, sessions: new SessionTable(clock), settings: pipeSettings(config) }),
    };
  }

  #clock(): { readonly clock?: Clock } {
    const { clock } = this.#options;
    return clock === undefined ? {} : { clock };
  }

  #log(name: string): Log {
    const write = (line: string): void => {
      if (/"level":"(?:error|fatal)"/.test(line)) this.errorLines.push(line);
    };
    return openLog({ name, to: { write } });
  }

  async #canResolve(): Promise<boolean> {
    try {
      await this.users.resolve(`${randomBytes(8).toString('hex')}@example.org`);
      return true;
    } catch (error) {
      if (isDirectoryError(error, 'unavailable')) return false;
      throw error;
    }
  }

  /** A new name each time: failed logins of one name are slowed down. */
  async #canLogIn(): Promise<boolean> {
    const peer = await this.connect('pop3');
    await peer.write(`USER ${randomBytes(8).toString('hex')}@example.org\r\nPASS x\r\n`);
    const answers = [await peer.line(), await peer.line(), await peer.line()];
    peer.kill();
    return answers[2]?.startsWith('-ERR [AUTH]') === true;
  }

  async #canLogInToImap(): Promise<boolean> {
    const peer = await this.connect('imap');
    await peer.write(`a LOGIN ${randomBytes(8).toString('hex')}@example.org x\r\n`);
    const heard = await peer.through('\r\na NO ').then(() => peer.line());
    peer.kill();
    return heard?.startsWith('[AUTHENTICATIONFAILED]') === true;
  }
}

/** Waits for a condition, which is looked at again and again. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms: number = patienceMs,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `waited in vain: ${what}`);
    await sleep(10);
  }
}

/** The daemon's side of mstore-lda within the test: a store, a directory and `LdaServer`, spoken to octet by octet. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { DirectoryAdministration, SqliteDirectory } from '@mstore/directory';
import { Delivery, DeliveryLog, LdaServer, type LdaServerOptions } from '@mstore/lda';
import { encodeOpening, encodePieceHead, endMarker } from '@mstore/lda/internal/lda-wire';
import { Metrics, openLog, SessionTable, systemClock } from '@mstore/net';
import { type TempStore, tempStore } from '../support/temp-store.ts';

/** A line of the log. */
export type LogLine = Readonly<Record<string, unknown>>;

export class LdaService implements AsyncDisposable {
  readonly temp: TempStore;
  readonly server: LdaServer;
  readonly sessions: SessionTable;
  readonly path: string;
  readonly log: readonly LogLine[];
  readonly #directory: SqliteDirectory;

  private constructor(
    parts: Pick<LdaService, 'temp' | 'server' | 'sessions' | 'path' | 'log'>,
    directory: SqliteDirectory,
  ) {
    this.temp = parts.temp;
    this.server = parts.server;
    this.sessions = parts.sessions;
    this.path = parts.path;
    this.log = parts.log;
    this.#directory = directory;
  }

  /** With the user `ada@x.example`. */
  static async start(options: Partial<LdaServerOptions> = {}): Promise<LdaService> {
    const temp = await tempStore({ messageBytes: 1_000_000 });
    const file = join(temp.directory, 'directory.sqlite');
    const administration = await DirectoryAdministration.create(file);
    await administration.addDomain('x.example');
    await administration.addUser('ada@x.example');
    await administration.close();
    const directory = new SqliteDirectory(file);
    const lines: LogLine[] = [];
    const log = openLog({ name: 'test', to: lineStream(lines) });
    const writer = temp.store;
    const delivery = new Delivery({
      directory,
      writer,
      catalog: () => writer.catalog(),
      settings: { name: 'mail.example', route: 'local', overQuota: 'temporary', detail: 'inbox' },
      clock: systemClock,
    });
    const sessions = new SessionTable();
    const server = new LdaServer({
      delivery,
      writer,
      expectDelivery: () => writer.expectDelivery(),
      settings: { defaultDomain: '', detailSeparator: '+' },
      sessions,
      log,
      record: new DeliveryLog(log, new Metrics()),
      clock: systemClock,
      ...options,
    });
    const path = join(temp.directory, 'run', 'lda.sock');
    await server.listen({ kind: 'unix', path });
    return new LdaService({ temp, server, sessions, path, log: lines }, directory);
  }

  /** How many messages ada has. */
  get messages(): number {
    return this.temp.store.catalog().accountNamed('ada@x.example')?.row.messages ?? 0;
  }

  caller(): Promise<Caller> {
    return Caller.connect(this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.drain(1_000);
    await this.#directory.close();
    await this.temp[Symbol.asyncDispose]();
  }
}

function lineStream(lines: LogLine[]): Writable {
  return new Writable({
    write(octets: Buffer, _encoding, done) {
      lines.push(JSON.parse(octets.toString()));
      done();
    },
  });
}

/** One connection, and what it hears. */
export class Caller {
  readonly socket: Socket;
  /** Everything heard, when the connection has ended, however that came. */
  readonly heard: Promise<string>;

  private constructor(socket: Socket) {
    this.socket = socket;
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (octets) => {
      text += octets.toString();
    });
    this.heard = new Promise((resolve) => socket.on('close', () => resolve(text)));
  }

  static async connect(path: string): Promise<Caller> {
    const caller = new Caller(connect(path));
    await once(caller.socket, 'connect');
    return caller;
  }

  open(...args: readonly string[]): void {
    this.socket.write(encodeOpening(args));
  }

  piece(text: string): void {
    this.socket.write(Buffer.concat([encodePieceHead(Buffer.byteLength(text)), Buffer.from(text)]));
  }

  endMessage(): void {
    this.socket.write(endMarker);
  }

  /** A whole dialogue; the answer. */
  deliver(text: string, ...args: readonly string[]): Promise<string> {
    this.open(...args);
    this.piece(text);
    this.endMessage();
    return this.heard;
  }
}

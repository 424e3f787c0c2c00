/** Stands between an IMAP client and the daemon and remembers what the client asked. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** The name of a command behind its tag; IDLE's end and what follows a challenge have no tag. */
const commandLine = /^[!-~]+ ((?:UID )?[A-Za-z]+)(?: |$)/;

export class ImapTap implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;
  #lines: string[] = [];

  private constructor(server: Server, port: number, sockets: ReadonlySet<Socket>) {
    this.#server = server;
    this.port = port;
    this.#sockets = sockets;
  }

  /** Listens on a port that the system chooses, in front of `host:port`. */
  static async before(address: string): Promise<ImapTap> {
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const daemon = connect({ host: '127.0.0.1', port: Number(/:(\d+)$/.exec(address)?.[1]), noDelay: true });
      client.setNoDelay(true);
      for (const [socket, other] of [
        [client, daemon],
        [daemon, client],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => other.destroy());
        socket.on('close', () => sockets.delete(socket));
        socket.pipe(other);
      }
      let rest = '';
      client.on('data', (octets: Buffer) => {
        const lines = (rest + octets.toString('latin1')).split('\r\n');
        rest = lines.pop() ?? '';
        tap.#lines.push(...lines);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const at = server.address();
    if (at === null || typeof at === 'string') throw new Error('the tap does not listen on TCP');
    const tap: ImapTap = new ImapTap(server, at.port, sockets);
    return tap;
  }

  /** The lines since they were last taken, those of literals too. */
  take(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  /** The names of the commands since the last time, each once, sorted; of use when no literals were sent. */
  takeCommands(): readonly string[] {
    const names = this.take().map((line) => commandLine.exec(line)?.[1]?.toUpperCase());
    return [...new Set(names.filter((name) => name !== undefined))].sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}

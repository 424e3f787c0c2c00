/**
 * Dovecot's IMAP process without Dovecot's service: each connection to a Unix socket is a process that is logged in already, on mail
 * in a temporary folder. What the system's own Dovecot does or has is not looked at.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { nobody } from '../support/programs.ts';
import { tempDirectory } from '../support/temp.ts';

/** Where Debian puts what Dovecot's master starts. */
const program = '/usr/lib/dovecot/imap';

export class Dovecot implements AsyncDisposable {
  /** `unix:PATH`. */
  readonly address: string;
  readonly #server: Server;
  readonly #children: Set<ChildProcess>;
  readonly #remove: () => Promise<void>;

  private constructor(address: string, server: Server, children: Set<ChildProcess>, remove: () => Promise<void>) {
    this.address = address;
    this.#server = server;
    this.#children = children;
    this.#remove = remove;
  }

  static async start(): Promise<Dovecot> {
    const folder = await tempDirectory();
    const home = join(folder.path, 'home');
    await mkdir(home);
    for (const path of [folder.path, home]) await chmod(path, 0o777);
    const file = join(folder.path, 'dovecot.conf');
    await writeFile(file, configuration(folder.path));
    const children = new Set<ChildProcess>();
    const server = createServer((socket) => {
      const child = spawn(program, ['-c', file], {
        // It does no mail as root.
        ...(process.getuid?.() === 0 ? nobody : {}),
        env: { TZ: 'UTC', HOME: home, USER: 'ann', PATH: process.env.PATH },
        stdio: ['pipe', 'pipe', 'ignore'],
        detached: true,
      });
      children.add(child);
      child.once('exit', () => children.delete(child));
      socket.once('close', () => child.kill('SIGKILL'));
      connect(socket, child);
    });
    const path = join(folder.path, 'imap.sock');
    server.listen(path);
    await once(server, 'listening');
    return new Dovecot(`unix:${path}`, server, children, async () => folder[Symbol.asyncDispose]());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    // Not its `close`, which waits until somebody has read what it said.
    const ended = [...this.#children].map((child) => once(child, 'exit'));
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(ended);
    await this.#remove();
  }
}

function connect(socket: Socket, child: ChildProcess): void {
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('the process has no pipes');
  socket.on('error', () => undefined);
  stdin.on('error', () => undefined);
  child.once('exit', () => socket.destroySoon());
  socket.pipe(stdin);
  stdout.pipe(socket);
}

/** Lines end with CRLF in its store too, so that both have the same octets. */
function configuration(folder: string): string {
  return `base_dir = ${folder}/run
state_dir = ${folder}/state
ssl = no
protocols = imap
mail_location = mdbox:~/mail:NO-NOSELECT
mail_save_crlf = yes
mail_fsync = never
namespace inbox {
  inbox = yes
  separator = /
}
`;
}

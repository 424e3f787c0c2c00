/**
 * Debian's Exim from a folder of its own: where the package is not installed, it is unpacked at MSTORE_EXIM_ROOT. Mail comes in
 * by SMTP, to an Exim that is started for each connection as inetd would; it is delivered by a queue run that the test
 * asks for, since an Exim with a configuration of ours gives up the rights for deliveries of its own accord. Needs root, and
 * the user that Exim is compiled for.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { boundAddress, formatListenAddress } from '@mstore/net';
import { type Attempt, type Mta, type Submission, sendBySmtp, type Waiting } from './mta.ts';

const run = promisify(execFile);

export interface EximSettings {
  readonly program: string;
  /** An empty folder, removed by the caller. */
  readonly folder: string;
  /** Exim's own user. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** From the document. */
  readonly main: string;
  readonly routers: string;
  readonly transports: string;
}

function configuration({ program, folder, main, routers, transports }: EximSettings): string {
  return `primary_hostname = mx.example.org
exim_path = ${program}
spool_directory = ${folder}/spool
log_file_path = ${folder}/log/%slog
keep_environment =
never_users = root
queue_only = true
acl_smtp_rcpt = acl_check_rcpt
acl_smtp_data = accept
tls_advertise_hosts =
smtp_accept_max_per_connection = 0
${main}
begin acl
acl_check_rcpt:
  accept

begin routers
${routers}
begin transports
${transports}
begin retry
* * F,2h,15m
`;
}

export class Exim implements Mta {
  readonly folder: string;
  readonly #program: string;
  readonly #server: Server;

  private constructor(folder: string, program: string) {
    this.folder = folder;
    this.#program = program;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => {
      const child = spawn(program, [...this.#options, '-bs'], { stdio: [socket, socket, 'ignore'] });
      socket.on('error', () => undefined);
      child.on('exit', () => socket.destroy());
    });
  }

  static async start(settings: EximSettings): Promise<Exim> {
    const { folder, owner, program } = settings;
    await chmod(folder, 0o755);
    for (const name of ['spool', 'log']) {
      await mkdir(join(folder, name));
      await chown(join(folder, name), owner.uid, owner.gid);
    }
    await writeFile(join(folder, 'exim.conf'), configuration(settings));
    const exim = new Exim(folder, program);
    await run(program, [...exim.#options, '-bV']);
    exim.#server.listen(0, '127.0.0.1');
    await once(exim.#server, 'listening');
    return exim;
  }

  async submit(submission: Submission): Promise<string> {
    const [id = ''] = await this.submitAll([submission]);
    return id;
  }

  async submitAll(submissions: readonly Submission[]): Promise<readonly string[]> {
    const ids = await sendBySmtp(formatListenAddress(boundAddress(this.#server)), submissions);
    await this.flush();
    return ids;
  }

  /** Two runs: what the first sends back is a message of its own. */
  async flush(): Promise<void> {
    for (const _ of ['mail', 'bounces']) await run(this.#program, [...this.#options, '-qff']);
  }

  async queue(): Promise<readonly Waiting[]> {
    const { stdout } = await run(this.#program, [...this.#options, '-bp']);
    const waiting: Waiting[] = [];
    let id = '';
    for (const line of stdout.split('\n')) {
      id = /^ *\d+\w +[\d.]+\w? +(\w{6}-\w{6}-\w{2}) /.exec(line)?.[1] ?? id;
      const recipient = /^ {10}(\S+)$/.exec(line)?.[1];
      if (recipient !== undefined) waiting.push({ id, recipient, reason: '' });
    }
    return waiting;
  }

  async attempts(): Promise<readonly Attempt[]> {
    const marks: Readonly<Record<string, Attempt['outcome']>> = { '=>': 'sent', '->': 'sent', '==': 'deferred' };
    const line = /^\S+ \S+ (\w{6}-\w{6}-\w{2}) (=>|->|==|\*\*) (?:\S+ <([^>]*)>|(\S+))(.*)$/gm;
    return [...(await this.log()).matchAll(line)].map(([, id = '', mark = '', original, address = '', text = '']) => {
      return { id, recipient: original ?? address, outcome: marks[mark] ?? 'bounced', text };
    });
  }

  async log(): Promise<string> {
    return readFile(join(this.folder, 'log/mainlog'), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
    assert.equal(await this.log().then((text) => /panic/i.exec(text)?.[0]), undefined);
  }

  get #options(): readonly string[] {
    return ['-C', join(this.folder, 'exim.conf')];
  }
}

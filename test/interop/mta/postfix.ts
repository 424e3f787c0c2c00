/**
 * Debian's Postfix as an instance of its own: Debian's master.cf, chroot and all, and a main.cf that says where everything
 * lies, both with what our document adds. Mail comes in by SMTP over a Unix socket, so that no port is taken. Needs root.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Attempt, eventually, type Mta, type Submission, sendBySmtp, type Waiting } from './mta.ts';

const run = promisify(execFile);

/** Where Debian keeps the master.cf that a new installation gets. */
const debianMaster = '/usr/share/postfix/master.cf.dist';

export interface PostfixSettings {
  /** An empty folder, removed by the caller. */
  readonly folder: string;
  /** Who runs Postfix's own processes. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** From the document. */
  readonly main: string;
  readonly master: string;
}

/** What a mail server on the net has, and the places of this one. */
function mainText(folder: string): string {
  return `compatibility_level = 3.6
myhostname = mx.example.org
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
queue_directory = ${folder}/spool
data_directory = ${folder}/data
maillog_file = ${folder}/mail.log
maillog_file_prefixes = ${folder}
# The sender is to be taken for somebody on the net, whose header is left alone.
local_header_rewrite_clients =
`;
}

export class Postfix implements Mta {
  readonly folder: string;
  /** SMTP's end: `unix:PATH`. */
  readonly smtp: string;
  readonly #config: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#config = join(folder, 'conf');
    this.smtp = `unix:${this.queueFolder}/public/mx`;
  }

  get queueFolder(): string {
    return join(this.folder, 'spool');
  }

  static async start({ folder, owner, main, master }: PostfixSettings): Promise<Postfix> {
    const postfix = new Postfix(folder);
    await chmod(folder, 0o755);
    for (const name of ['conf', 'spool', 'data']) await mkdir(join(folder, name), { recursive: true, mode: 0o755 });
    await chown(join(folder, 'data'), owner.uid, owner.gid);
    const debian = await readFile(debianMaster, 'utf8');
    const services = debian.replace(/^smtp( +)inet/m, 'mx  $1unix');
    assert.notEqual(services, debian, "Debian's master.cf has no SMTP server");
    await writeFile(join(folder, 'conf/main.cf'), mainText(folder) + main);
    await writeFile(join(folder, 'conf/master.cf'), services + master);
    let said = '';
    const child = spawn('postfix', ['-c', join(folder, 'conf'), 'start-fg'], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const flow of [child.stdout, child.stderr]) {
      flow.on('data', (octets: Buffer) => {
        said += octets.toString();
      });
    }
    await eventually(`Postfix: ${said}`, async () => {
      assert.equal(child.exitCode, null, said);
      return existsSync(postfix.smtp.slice('unix:'.length)) ? true : undefined;
    });
    return postfix;
  }

  async submit(submission: Submission): Promise<string> {
    const [id = ''] = await this.submitAll([submission]);
    return id;
  }

  submitAll(submissions: readonly Submission[]): Promise<readonly string[]> {
    return sendBySmtp(this.smtp, submissions);
  }

  async flush(): Promise<void> {
    await run('postqueue', ['-c', this.#config, '-f']);
  }

  async queue(): Promise<readonly Waiting[]> {
    const { stdout } = await run('postqueue', ['-c', this.#config, '-j']);
    const messages = stdout.split('\n').filter((line) => line !== '');
    return messages.flatMap((line) => {
      const { queue_id: id, recipients } = JSON.parse(line);
      return recipients.map(({ address, delay_reason: reason = '' }: Record<string, string>) => {
        return { id, recipient: address, reason };
      });
    });
  }

  async attempts(): Promise<readonly Attempt[]> {
    const line = /: (\w+): to=<([^>]*)>.* status=(sent|deferred|bounced) (.*)$/gm;
    const text = await this.log();
    return [...text.matchAll(line)].map(([, id = '', recipient = '', status, rest = '']) => {
      const outcome = status === 'sent' || status === 'deferred' ? status : 'bounced';
      return { id, recipient, outcome, text: rest };
    });
  }

  log(): Promise<string> {
    return readFile(join(this.folder, 'mail.log'), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = join(this.queueFolder, 'pid/master.pid');
    const pid = Number(readFileSync(file, 'latin1'));
    process.kill(pid, 'SIGTERM');
    await eventually('the end of Postfix', async () => (existsSync(`/proc/${pid}`) ? undefined : true));
  }
}

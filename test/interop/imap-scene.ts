/** What the tests of other people's IMAP clients begin with: a user's mailboxes behind a daemon, and a folder for the client. */
import assert from 'node:assert/strict';
import { chmod, readFile } from 'node:fs/promises';
import { asStored } from '../cli/command.ts';
import { corpusFiles } from '../support/corpus.ts';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';
import { counts } from '../support/long.ts';
import { tempDirectory } from '../support/temp.ts';
import { ImapTap } from './imap-tap.ts';

/** A message as a client and the store may both have it. */
export interface Mail {
  readonly octets: Buffer;
  /** System flags without their backslash, sorted, less `Recent`. */
  readonly flags: readonly string[];
}

export class ImapScene implements AsyncDisposable {
  readonly login = 'ann@example.org';
  readonly password = 'secret';
  readonly daemons: Daemons;
  readonly tap: ImapTap;
  /** Anybody may write here. */
  readonly folder: string;
  readonly #remove: () => Promise<void>;

  private constructor(daemons: Daemons, tap: ImapTap, folder: string, remove: () => Promise<void>) {
    this.daemons = daemons;
    this.tap = tap;
    this.folder = folder;
    this.#remove = remove;
  }

  static async start(): Promise<ImapScene> {
    const folder = await tempDirectory();
    await chmod(folder.path, 0o777);
    const daemons = await Daemons.start();
    const tap = await ImapTap.before(daemons.address('imap'));
    const scene = new ImapScene(daemons, tap, folder.path, async () => folder[Symbol.asyncDispose]());
    await daemons.addUser(scene.login, scene.password);
    return scene;
  }

  /** The port of the tap. */
  get port(): number {
    return this.tap.port;
  }

  /** A session of the test's own, past the tap. */
  session(): Promise<ImapClient> {
    return ImapClient.logIn(this.daemons.address('imap'), this.login, this.password);
  }

  async create(...names: readonly string[]): Promise<void> {
    const account = await this.daemons.account(this.login);
    for (const name of names) await this.daemons.store.createMailbox(account, name);
  }

  async fill(name: string, messages: readonly Buffer[]): Promise<void> {
    for (const octets of messages) await this.daemons.deliver(this.login, octets, name);
  }

  /** What the store holds in a mailbox, in the order of UIDs. */
  async stored(name: string): Promise<Buffer[]> {
    return [...(await this.daemons.messages(this.login, name)).values()];
  }

  /** The same with flags. */
  async mail(name: string): Promise<Mail[]> {
    const session = await this.session();
    await session.ok(`EXAMINE "${inUtf7(name).replace(/["\\]/g, '\\$&')}"`);
    const lines = await session.ok('FETCH 1:* (UID FLAGS)').catch(() => []);
    session.close();
    const octets = await this.daemons.messages(this.login, name);
    assert.equal(lines.length, octets.size);
    return lines.map((line) => {
      const flags = /FLAGS \(([^)]*)\)/.exec(line)?.[1]?.split(' ') ?? [];
      const uid = Number(/UID (\d+)/.exec(line)?.[1]);
      return { octets: octets.get(uid) ?? Buffer.alloc(0), flags: plainFlags(flags) };
    });
  }

  /** Every mailbox's name. */
  async names(): Promise<string[]> {
    const account = await this.daemons.account(this.login);
    await this.daemons.store.settle();
    return [...this.daemons.store.catalog().mailboxes(account)].map(({ row }) => row.name).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tap[Symbol.asyncDispose]();
    await this.daemons[Symbol.asyncDispose]();
    await this.#remove();
  }
}

function plainFlags(flags: readonly string[]): string[] {
  const system = flags.filter((flag) => flag.startsWith('\\') && flag !== '\\Recent');
  return system.map((flag) => flag.slice(1)).sort();
}

/** What IMAP shows of stored octets: no literal may hold NUL. */
export function shown(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('latin1').replaceAll('\0', '\x80'), 'latin1');
}

/** Messages that clients trip over, and the corpus, or a sample of it; all with CRLF. */
export async function mailToShow(): Promise<Buffer[]> {
  const files = (corpusFiles() ?? []).filter(({ kind }) => kind === 'message');
  const step = Math.max(1, Math.floor(files.length / counts(100, files.length)));
  const sample = files.filter((_, at) => at % step === 0);
  const read = await Promise.all(sample.map(async ({ path }) => asStored(await readFile(path))));
  return [...peculiarMail, ...read.filter(({ length }) => length > 0)];
}

/** Made to be tripped over. */
export const peculiarMail: readonly Buffer[] = [
  'Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.x\r\nFrom me\r\n>From you\r\n\r\n',
  'Subject: no body\r\n',
  'Subject: empty body\r\n\r\n',
  '\r\nno header\r\n',
  'Subject: no last line end\r\n\r\ntext',
  'Subject: NUL\r\n\r\na\0b\0\r\n\0.\r\n',
  'Subject: literal {10}\r\n\r\n)\r\nt1 OK\r\n{3}\r\n',
  'Subject: bare CR\r\n\r\na\rb\r.\rc\r\r\n.\r\n',
  `Subject: long\r\nX-Long: ${'x'.repeat(3_000)}\r\n\r\n${'y'.repeat(counts(200_000, 5_000_000))}\r\n`,
  'From: J\xf6rg <j@example.org>\r\nSubject: 8 bit \xe4\r\n\r\n\x80\xff\r\n',
].map((text) => Buffer.from(text, 'latin1'));

/** A mailbox's name as IMAP4rev1 writes it (RFC 3501 §5.1.3). */
export function inUtf7(name: string): string {
  const shifted = (text: string): string => Buffer.from(text, 'utf16le').swap16().toString('base64');
  return name
    .replaceAll('&', '&-')
    .replace(/[^ -~]+/g, (text) => `&${shifted(text).replace(/=+$/, '').replaceAll('/', ',')}-`);
}

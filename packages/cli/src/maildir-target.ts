/** `mstore export maildir`: a Maildir with Maildir++ folders, and Dovecot's files for what file names cannot say. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Entry, inbox, type MailboxRow, type NamedMailbox, type StoredMessage } from '@mstore/store';
import { LfConverter } from './lf-lines.ts';
import { folderOfMailbox, forwarded, writeLetters } from './maildir-layout.ts';
import { octetsOf, type Target, writeMessageFile } from './target.ts';
import { counted } from './text.ts';

const lettersMax = 26;

export function maildirTarget(root: string): Target {
  return new MaildirTarget(root);
}

class MaildirTarget implements Target {
  readonly isOutput = false;
  readonly #root: string;
  #folder = '';
  #row: MailboxRow | undefined;
  #keywords: readonly string[] = [];
  #letterOf: ReadonlyMap<string, string> = new Map();
  #uidList: string[] = [];
  #first = true;
  #dropped = 0;

  constructor(root: string) {
    this.#root = root;
  }

  async begin({ row }: NamedMailbox, keywords: readonly string[]): Promise<void> {
    // INBOX is the Maildir itself, which is there in any case.
    if (this.#first && row.name !== inbox) await makeMaildir(this.#root);
    this.#first = false;
    this.#folder = join(this.#root, folderOfMailbox(row.name));
    this.#row = row;
    this.#keywords = keywords;
    const named = keywords.filter((keyword) => keyword !== forwarded).slice(0, lettersMax);
    this.#letterOf = new Map(named.map((keyword, at) => [keyword, String.fromCharCode(97 + at)]));
    this.#uidList = [];
    await makeMaildir(this.#folder);
    if (named.length > 0) {
      const lines = named.map((keyword, at) => `${at} ${keyword}\n`);
      await writeFile(join(this.#folder, 'dovecot-keywords'), lines.join(''), { flag: 'wx' });
    }
    if (this.#folder !== this.#root) await writeFile(join(this.#folder, 'maildirfolder'), '', { flag: 'wx' });
  }

  async write(entry: Entry, message: StoredMessage): Promise<void> {
    const keywords = entry.keywords.map((number) => this.#keywords[number] ?? '');
    this.#dropped += keywords.filter((keyword) => keyword !== forwarded && !this.#letterOf.has(keyword)).length;
    const base = `${Math.max(entry.internalDate, 0)}.U${entry.uid}V${this.#row?.uidValidity}.mstore`;
    const name = `${base}:2,${writeLetters(entry.flags, keywords, this.#letterOf)}`;
    await writeMessageFile(join(this.#folder, 'cur', name), withLf(octetsOf(message)), entry.internalDate);
    this.#uidList.push(`${entry.uid}${entry.uidl === '' ? '' : ` P${entry.uidl}`} :${name}\n`);
  }

  async end(): Promise<void> {
    if (this.#row === undefined) return;
    const head = `3 V${this.#row.uidValidity} N${this.#row.uidNext}\n`;
    await writeFile(join(this.#folder, 'dovecot-uidlist'), head + this.#uidList.join(''), { flag: 'wx' });
  }

  async close(): Promise<void> {}

  notes(): readonly string[] {
    if (this.#dropped === 0) return [];
    return [`${counted(this.#dropped, 'keyword')} left out: a Maildir has room for ${lettersMax} different ones`];
  }
}

async function makeMaildir(folder: string): Promise<void> {
  for (const name of ['cur', 'new', 'tmp']) await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
}

async function* withLf(octets: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const converter = new LfConverter();
  for await (const some of octets) yield converter.push(some);
  yield converter.end(false);
}

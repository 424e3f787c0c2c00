/**
 * The mail corpus: real and broken messages of many origins, read only. It is not part of the repository; it is looked for
 * where MSTORE_CORPUS says, else in `../shared/corpus` beside the checkout. Tests that want it skip where it is absent.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { repositoryRoot } from './repository.ts';

export interface CorpusFile {
  readonly path: string;
  /** `folder/file`, to name it in a report. */
  readonly name: string;
  /** `mbox` files hold many messages, all others are one message. */
  readonly kind: 'message' | 'mbox';
}

const mboxFolders = new Set(['dovecot-list-mbox', 'mimekit-mbox']);
const withoutMail = new Set(['licences']);

function corpusFolder(): string | undefined {
  const named = process.env.MSTORE_CORPUS;
  if (named !== undefined && !existsSync(named)) throw new Error(`MSTORE_CORPUS names no folder: ${named}`);
  const folder = named ?? join(repositoryRoot, '../shared/corpus');
  return existsSync(folder) ? folder : undefined;
}

/** Every mail file of the corpus, sorted by name; undefined when there is no corpus. */
export function corpusFiles(): readonly CorpusFile[] | undefined {
  const corpus = corpusFolder();
  if (corpus === undefined) return undefined;
  const files: CorpusFile[] = [];
  for (const folder of readdirSync(corpus, { withFileTypes: true })) {
    if (!folder.isDirectory() || withoutMail.has(folder.name)) continue;
    const kind = mboxFolders.has(folder.name) ? 'mbox' : 'message';
    for (const file of readdirSync(join(corpus, folder.name))) {
      files.push({ path: join(corpus, folder.name, file), name: `${folder.name}/${file}`, kind });
    }
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The corpus, or undefined after marking the test as skipped: `const files = skipWithoutCorpus(t); if (!files) return;` */
export function skipWithoutCorpus(t: TestContext): readonly CorpusFile[] | undefined {
  const files = corpusFiles();
  if (files === undefined) t.skip('no mail corpus here (docs/testing.md)');
  return files;
}

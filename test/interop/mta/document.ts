/**
 * Configuration as the documents print it: the fenced blocks of docs/operations/postfix.md and exim.md, taken out whole, with
 * only the words replaced that the document's own table calls place-holders.
 */
import assert from 'node:assert/strict';
import { readRepositoryFile } from '../../support/repository.ts';

interface Block {
  /** The heading above it. */
  readonly section: string;
  /** The file that the text before it names. */
  readonly file: string;
  readonly text: string;
}

export class ConfigurationDocument {
  readonly #path: string;
  readonly #blocks: readonly Block[];
  readonly #words: readonly string[];

  constructor(path: string) {
    this.#path = path;
    const text = readRepositoryFile(path);
    this.#blocks = blocksOf(text);
    this.#words = [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, word = '']) => word);
  }

  /** The blocks of these sections for this file, in the order of the document. */
  blocks(file: string, ...sections: readonly string[]): string {
    const found = this.#blocks.filter((block) => block.file === file && sections.includes(block.section));
    assert.ok(found.length > 0, `${this.#path}: no block for ${file} in ${sections.join(', ')}`);
    return found.map(({ text }) => text).join('\n');
  }

  /** Replaces the document's place-holders, of which it must name exactly these. */
  filled(text: string, values: Readonly<Record<string, string>>): string {
    assert.deepEqual(Object.keys(values).sort(), [...this.#words].sort(), `${this.#path}: place-holders`);
    // Longer ones first: one may be part of another.
    const words = [...this.#words].sort((a, b) => b.length - a.length);
    const pattern = new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
    return text.replace(pattern, (word) => values[word] ?? word);
  }
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let section = '';
  let file = '';
  let lines: string[] | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('```')) {
      if (lines !== undefined) blocks.push({ section, file, text: `${lines.join('\n')}\n` });
      lines = lines === undefined ? [] : undefined;
    } else if (lines !== undefined) lines.push(line);
    else if (line.startsWith('#')) section = line.replace(/^#+ */, '');
    else file = /`([^`]+)`[^`]*:$/.exec(line)?.[1] ?? file;
  }
  return blocks;
}

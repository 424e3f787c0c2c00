/** What sources and documents point at must be there, and what is not theirs to name must not. */
import { posix } from 'node:path';
import { lineAt, type Source, type Violation } from './source.ts';

/** A document of the repository. */
export interface Document {
  readonly path: string;
  readonly text: string;
}

/** True for a path, from the root, that exists. */
export type Exists = (path: string) => boolean;

/** Code in a document shows things; it does not link. Its length stays. */
function withoutCode(text: string): string {
  const blank = (code: string): string => code.replace(/[^\n]/g, ' ');
  return text.replace(/^(```+|~~~+)[\s\S]*?^\1/gm, blank).replace(/`[^`\n]*`/g, blank);
}

/** Relative links of a document to files that are not there. */
export function checkLinks({ path, text }: Document, exists: Exists): Violation[] {
  const found: Violation[] = [];
  const links = withoutCode(text).matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*<?([^\s>]+)/gm);
  for (const link of links) {
    const target = (link[1] ?? link[2] ?? '').replace(/[#?].*$/, '');
    if (target === '' || /^[a-z][a-z+.-]*:/i.test(target)) continue;
    const file = posix.join(posix.dirname(path), decodeURI(target));
    if (file.startsWith('..') || !exists(file)) {
      found.push({ path, line: lineAt(text, link.index), problem: `links to ${target}, which is not there` });
    }
  }
  return found;
}

/** Documents that comments name and that are not there. */
export function checkDocumentReferences(source: Source, exists: Exists): Violation[] {
  const found: Violation[] = [];
  for (const comment of source.comments) {
    for (const [reference] of comment.text.matchAll(/\bdocs\/[\w./-]*\w/g)) {
      if (exists(reference)) continue;
      found.push({ path: source.path, line: comment.line, problem: `names ${reference}, which is not there` });
    }
  }
  return found;
}

/** The numbers of the RFCs that a document links to or names. */
export function rfcNumbers(text: string): Set<number> {
  return new Set([...text.matchAll(/\bRFC (\d+)\b/g)].map((match) => Number(match[1])));
}

/** Mentions of an RFC in a form that a search would miss, or of one that the project does not list. */
export function checkRfcs(
  path: string,
  texts: readonly { text: string; line: number }[],
  listed: Set<number>,
): Violation[] {
  const found: Violation[] = [];
  for (const { text, line } of texts) {
    for (const [mention, number] of text.matchAll(/\brfcs?[\s\-_#]*(\d+)/gi)) {
      // IMAP and MIME have names of their own with the old number in them: RFC822.SIZE, message/rfc822.
      if (/^rfc822$/i.test(mention)) continue;
      if (!/^RFC \d{1,4}$/.test(mention)) found.push({ path, line, problem: `write RFC nnnn, not ${mention}` });
      else if (!listed.has(Number(number)))
        found.push({ path, line, problem: `${mention} is not in docs/protocols/rfcs.md` });
    }
  }
  return found;
}

/** Home and work folders of some machine; an administrator's /etc, /var and /home/NAME are no such places. */
const machinePaths = /(?<![\w.~-])\/(?:root|work|workspace|Users|builds)\/[\w.-]+/g;
const besideCheckout = /\.\.\/shared\b/g;

/** Paths that mean something on one machine only. Tests may name the corpus beside the checkout. */
export function checkMachinePaths({ path, text }: Document, checkout: string): Violation[] {
  const found: Violation[] = [];
  const report = (index: number, what: string): void =>
    void found.push({ path, line: lineAt(text, index), problem: `names ${what}, which only one machine has` });
  for (const match of text.matchAll(machinePaths)) report(match.index, match[0]);
  if (!path.startsWith('test/')) for (const match of text.matchAll(besideCheckout)) report(match.index, match[0]);
  const at = text.indexOf(checkout);
  if (at !== -1) report(at, 'this checkout by its path');
  return found;
}

/**
 * A lock file that only its own author's machine can install: one that names a registry's host, or that leaves out the
 * optional packages of other platforms, as npm does when it writes the lock beside an existing node_modules.
 */
export function checkLockFile(path: string, text: string): Violation[] {
  const found: Violation[] = [];
  const host = /"resolved":\s*"https?:/.exec(text);
  if (host !== null) found.push({ path, line: lineAt(text, host.index), problem: 'names the host of a registry' });
  const names = new Set([...text.matchAll(/^ {4}"([^"]*node_modules\/[^"]+)": \{/gm)].map((match) => match[1]));
  for (const block of text.matchAll(/"optionalDependencies": \{([^}]*)\}/g)) {
    for (const [, name = ''] of (block[1] ?? '').matchAll(/"([^"]+)":/g)) {
      if ([...names].some((place) => place?.endsWith(`node_modules/${name}`))) continue;
      found.push({ path, line: lineAt(text, block.index), problem: `leaves out the optional package ${name}` });
    }
  }
  return found;
}

/** Run-time dependencies that a package.json pins and the list does not name with that version, and the other way round. */
export function checkDependencyList(list: Document, manifests: readonly Document[]): Violation[] {
  const pinned = new Set<string>();
  for (const { text } of manifests) {
    const block = /"dependencies":\s*\{([^}]*)\}/.exec(text)?.[1] ?? '';
    for (const [, name = '', version] of block.matchAll(/"([^"]+)":\s*"([^"]+)"/g)) {
      if (!name.startsWith('@mstore/')) pinned.add(`${name} ${version}`);
    }
  }
  const rows = [...list.text.matchAll(/^\| (\S+) \| (\d\S*) \|/gm)].map(([, name, version]) => `${name} ${version}`);
  const missing = [...pinned]
    .filter((dependency) => !rows.includes(dependency))
    .map((name) => `has no line for ${name}`);
  const idle = rows.filter((row) => !pinned.has(row)).map((name) => `lists ${name}, which no package pins`);
  return [...missing, ...idle].map((problem) => ({ path: list.path, line: 1, problem }));
}

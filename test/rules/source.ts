/**
 * Source text as the house rules look at it: the code without comments and strings, the comments without code, and the
 * modules it imports. A lexer, not a parser: it relies on the formatter's layout and on the compiler's approval.
 */

export interface Import {
  readonly specifier: string;
  readonly line: number;
}

export interface Comment {
  /** Without the comment marks; its lines joined by blanks. */
  readonly text: string;
  readonly line: number;
}

export interface Source {
  /** From the repository's root. */
  readonly path: string;
  readonly text: string;
  /** As long as `text`, with comments, strings and regular expressions blanked; lines stay where they are. */
  readonly code: string;
  readonly comments: readonly Comment[];
  readonly imports: readonly Import[];
}

/** A breach of a rule, as a line of a report. */
export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly problem: string;
}

/** The number of the line that holds the character at `index`, from 1. */
export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < index; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

/** One match of `pattern` as a violation. */
export function violationAt(source: Source, index: number, problem: string): Violation {
  return { path: source.path, line: lineAt(source.text, index), problem };
}

/** `README.md:3: problem`, what a failed check prints. */
export function violationText(violation: Violation): string {
  return `${violation.path}:${violation.line}: ${violation.problem}`;
}

type Kind = 'comment' | 'literal';

/** After these a slash begins a regular expression, not a division. */
const beforeRegex =
  /(?:^|[([{},;:=!&|?+\-*%<>~^]|\b(?:return|typeof|case|in|of|delete|void|throw|new|await|yield))\s*$/;

/** Where the literal or comment at `at` ends; undefined when none begins there. Template literals are the lexer's. */
function spanAt(text: string, at: number): { kind: Kind; end: number } | undefined {
  const rest = (pattern: RegExp): number => {
    pattern.lastIndex = at;
    return pattern.exec(text) === null ? text.length : pattern.lastIndex;
  };
  switch (text[at]) {
    case "'":
      return { kind: 'literal', end: rest(/'(?:\\[\s\S]|[^'\\\n])*'?/y) };
    case '"':
      return { kind: 'literal', end: rest(/"(?:\\[\s\S]|[^"\\\n])*"?/y) };
    case '#':
      return at === 0 && text.startsWith('#!') ? { kind: 'comment', end: rest(/[^\n]*/y) } : undefined;
    case '/':
      if (text[at + 1] === '/') return { kind: 'comment', end: rest(/[^\n]*/y) };
      if (text[at + 1] === '*') return { kind: 'comment', end: rest(/\/\*[\s\S]*?\*\//y) };
      if (!beforeRegex.test(text.slice(Math.max(0, at - 40), at))) return undefined;
      return { kind: 'literal', end: rest(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y) };
    default:
      return undefined;
  }
}

interface Span {
  readonly kind: Kind;
  readonly start: number;
  readonly end: number;
}

/** Finds comments and literals; the code in a template's `${…}` stays code. */
function spansOf(text: string): Span[] {
  const spans: Span[] = [];
  /** Depths of braces at which an enclosing template literal goes on. */
  const templates: number[] = [];
  let depth = 0;
  let at = 0;
  const template = (start: number): number => {
    const pattern = /(?:\\[\s\S]|\$(?!\{)|[^\\`$])*(?:`|\$\{|$)/y;
    pattern.lastIndex = start + 1;
    const found = pattern.exec(text);
    const end = found === null ? text.length : pattern.lastIndex;
    if (text.slice(start + 1, end).endsWith('${')) templates.push(depth++);
    spans.push({ kind: 'literal', start, end });
    return end;
  };
  while (at < text.length) {
    const octet = text[at];
    const span = spanAt(text, at);
    if (span !== undefined) {
      spans.push({ kind: span.kind, start: at, end: span.end });
      at = Math.max(span.end, at + 1);
    } else if (octet === '`') {
      at = template(at);
    } else if (octet === '}' && templates.at(-1) === depth - 1) {
      templates.pop();
      depth -= 1;
      at = template(at);
    } else {
      if (octet === '{') depth += 1;
      if (octet === '}') depth -= 1;
      at += 1;
    }
  }
  return spans;
}

function blank(text: string, spans: readonly Span[]): string {
  let result = '';
  let at = 0;
  for (const { start, end } of spans) {
    result += text.slice(at, start) + text.slice(start, end).replace(/[^\n]/g, ' ');
    at = end;
  }
  return result + text.slice(at);
}

/** The words of a comment: marks and line starts taken off. */
function commentWords(raw: string): string {
  const inside = raw.replace(/^\/\*\*?|\*\/$|^\/\/|^#!/g, '');
  return inside
    .replace(/\n\s*\*?/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Line comments below one another read as one. */
function commentsOf(text: string, spans: readonly Span[]): Comment[] {
  const comments: Comment[] = [];
  let previousEnd = -1;
  let previousIsLine = false;
  for (const { kind, start, end } of spans) {
    if (kind !== 'comment') continue;
    const words = commentWords(text.slice(start, end));
    const previous = comments.at(-1);
    const isLine = text.startsWith('//', start);
    if (previous !== undefined && isLine && previousIsLine && /^\n?[ \t]*$/.test(text.slice(previousEnd, start))) {
      comments[comments.length - 1] = { text: `${previous.text} ${words}`, line: previous.line };
    } else {
      comments.push({ text: words, line: lineAt(text, start) });
    }
    previousEnd = end;
    previousIsLine = isLine;
  }
  return comments;
}

const importPattern = /\b(?:(?:import|export)\b[^;'"`()]*?\bfrom|import|import\()\s*'([^'\n]+)'/g;

function importsOf(text: string, code: string, spans: readonly Span[]): Import[] {
  const withStrings = blank(
    text,
    spans.filter((span) => span.kind === 'comment'),
  );
  const imports: Import[] = [];
  for (const match of withStrings.matchAll(importPattern)) {
    // A keyword inside a string is not one.
    if (code[match.index] === ' ') continue;
    imports.push({ specifier: match[1] ?? '', line: lineAt(text, match.index) });
  }
  return imports;
}

/** Reads one source file. */
export function readSource(path: string, text: string): Source {
  const spans = spansOf(text);
  const code = blank(text, spans);
  return { path, text, code, comments: commentsOf(text, spans), imports: importsOf(text, code, spans) };
}

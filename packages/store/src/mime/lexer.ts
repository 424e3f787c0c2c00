/**
 * The lexical pieces that structured header fields share (RFC 5322 §3.2, RFC 2045 §5.1): quoted strings, comments and the
 * blanks between tokens. Works on unfolded latin1 text; each call is linear in what it passes.
 */

/** What was read, without its quoting, and the offset behind it. */
export interface Lexeme {
  readonly text: string;
  readonly end: number;
  /** False when the field ended first. */
  readonly closed: boolean;
}

/** What a sticky pattern matches at `at`; empty when it does not. */
export function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

/** Reads the quoted string whose opening quote stands at `at`. */
export function quotedString(field: string, at: number): Lexeme {
  let text = '';
  let from = at + 1;
  for (let next = from; next < field.length; next++) {
    const code = field.charCodeAt(next);
    if (code === 34) return { text: text + field.slice(from, next), end: next + 1, closed: true };
    if (code !== 92) continue;
    text += field.slice(from, next);
    from = ++next;
  }
  return { text: text + field.slice(from), end: field.length, closed: false };
}

/** Reads the comment whose opening parenthesis stands at `at`; comments inside it keep their parentheses. */
export function comment(field: string, at: number): Lexeme {
  let text = '';
  let from = at + 1;
  let depth = 1;
  for (let next = from; next < field.length; next++) {
    const code = field.charCodeAt(next);
    if (code === 40) depth++;
    else if (code === 41) {
      if (--depth === 0) return { text: text + field.slice(from, next), end: next + 1, closed: true };
    } else if (code === 92) {
      text += field.slice(from, next);
      from = ++next;
    }
  }
  return { text: text + field.slice(from), end: field.length, closed: false };
}

/** True for the characters that separate tokens. */
export function isSpace(code: number): boolean {
  return code === 32 || code === 9 || code === 13 || code === 10;
}

/** The offset of the next character that is no blank. */
export function skipSpace(field: string, at: number): number {
  let next = at;
  while (next < field.length && isSpace(field.charCodeAt(next))) next++;
  return next;
}

/** The offset of the next character outside blanks and comments. */
export function skipComments(field: string, at: number): number {
  let next = skipSpace(field, at);
  while (field.charCodeAt(next) === 40) next = skipSpace(field, comment(field, next).end);
  return next;
}

/** The offset behind the last character that is no blank. */
export function trimmedEnd(text: string): number {
  let end = text.length;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--;
  return end;
}

/** The text without blanks at its ends. `trim` would also take 0xA0, which may be part of a UTF-8 character. */
export function trimSpace(text: string): string {
  const end = trimmedEnd(text);
  return text.slice(Math.min(skipSpace(text, 0), end), end);
}

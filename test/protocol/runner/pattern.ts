/**
 * The text of a transcript's line: octets with escapes, and what stands in double braces. Octets are handled as latin1 text, one
 * character each, so that a line may hold anything.
 *
 *     \r \n \t \0 \\ \x8f      one octet
 *     {{name}}                 expected: kept under the name when it is new, else the same again; sent: what was kept
 *     {{name:/pattern/}}       kept when it matches
 *     {{/pattern/}} {{*}}      matches; anything
 *     {{repeat 100 TEXT}}      TEXT a hundred times
 *     {{base64 TEXT}}          TEXT in base64
 */

/** What lines captured so far, by name. */
export type Variables = Map<string, string>;

type Piece =
  | { readonly kind: 'literal'; readonly octets: string }
  | { readonly kind: 'repeated'; readonly octets: string; readonly count: number }
  | { readonly kind: 'variable'; readonly name: string; readonly pattern: string }
  | { readonly kind: 'pattern'; readonly pattern: string };

const escapes: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' };

/** Text of a file as octets: UTF-8, then the escapes. */
function octetsOf(text: string): string {
  const octets = Buffer.from(text).toString('latin1');
  return octets.replace(/\\(x[0-9a-f]{2}|.)/gi, (whole, code: string) => {
    if (code.length === 3) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    const octet = escapes[code];
    if (octet === undefined) throw new Error(`${whole} is no escape`);
    return octet;
  });
}

function pieceOf(inside: string): Piece {
  if (inside === '*') return { kind: 'pattern', pattern: '[^]*?' };
  const [, count, repeated = ''] = /^repeat (\d+) (.+)$/s.exec(inside) ?? [];
  if (count !== undefined) return { kind: 'repeated', octets: octetsOf(repeated), count: Number(count) };
  const [, plain] = /^base64 (.*)$/s.exec(inside) ?? [];
  if (plain !== undefined) {
    return { kind: 'literal', octets: Buffer.from(octetsOf(plain), 'latin1').toString('base64') };
  }
  const [, name, pattern = ''] = /^(?:([a-z]\w*)(?::|$))?(?:\/(.+)\/)?$/is.exec(inside) ?? [];
  if (name !== undefined) return { kind: 'variable', name, pattern: pattern === '' ? '[^ ]+' : pattern };
  if (pattern !== '') return { kind: 'pattern', pattern };
  throw new Error(`{{${inside}}} means nothing`);
}

function piecesOf(text: string): Piece[] {
  return text.split(/(\{\{.*?\}\})/s).flatMap((part): Piece[] => {
    if (part === '') return [];
    const [, inside] = /^\{\{(.*)\}\}$/s.exec(part) ?? [];
    return [inside === undefined ? { kind: 'literal', octets: octetsOf(part) } : pieceOf(inside)];
  });
}

/** The octets to send. @throws Error for a pattern, or a name that nothing was kept under */
export function expand(text: string, variables: Variables): Buffer {
  const octets = piecesOf(text).map((piece) => {
    if (piece.kind === 'literal') return piece.octets;
    if (piece.kind === 'repeated') return piece.octets.repeat(piece.count);
    const value = piece.kind === 'variable' ? variables.get(piece.name) : undefined;
    if (value === undefined) throw new Error(`nothing is known to send for a part of: ${text}`);
    return value;
  });
  return Buffer.from(octets.join(''), 'latin1');
}

function quoted(octets: string): string {
  return octets.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** The source of a regular expression for the text, and the names its groups capture. */
export function expression(text: string, variables: Variables): { readonly source: string; readonly names: string[] } {
  const names: string[] = [];
  const sources = piecesOf(text).map((piece) => {
    if (piece.kind === 'literal') return quoted(piece.octets);
    // Written out, a long line would be too large for an expression.
    if (piece.kind === 'repeated') return `(?:${quoted(piece.octets)}){${piece.count}}`;
    if (piece.kind === 'pattern') return `(?:${piece.pattern})`;
    const known = variables.get(piece.name);
    if (known !== undefined) return quoted(known);
    if (names.includes(piece.name)) return `\\k<${piece.name}>`;
    names.push(piece.name);
    return `(?<${piece.name}>${piece.pattern})`;
  });
  return { source: sources.join(''), names };
}

/** Whether all of `octets` is what the text expects; then its names are kept. */
export function accepts(text: string, octets: string, variables: Variables): boolean {
  const { source, names } = expression(text, variables);
  const match = new RegExp(`^${source}$`, 's').exec(octets);
  if (match === null) return false;
  for (const name of names) variables.set(name, match.groups?.[name] ?? '');
  return true;
}

/** Octets as a person may read them in a report: the inverse of the escapes, cut where it gets long. */
export function shown(octets: string): string {
  const names: Readonly<Record<string, string>> = { '\r': '\\r', '\n': '\\n', '\t': '\\t', '\0': '\\0', '\\': '\\\\' };
  const text = octets.slice(0, 2_000).replace(/[\\\0-\x1f\x7f-\xff]/g, (octet) => {
    return names[octet] ?? `\\x${octet.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return octets.length > 2_000 ? `${text}… (${octets.length} octets)` : text;
}

/** How long a file, a function or a method may be. */
import type { Source, Violation } from './source.ts';

export interface SizeRules {
  readonly moduleLines: number;
  readonly testLines: number;
  readonly functionLines: number;
}

/** Lines of a text; a last line end does not begin another. */
function lineCount(text: string): number {
  return text.replace(/\n$/, '').split('\n').length;
}

/** A file beyond the bound of its kind. */
export function checkModuleSize(source: Source, rules: SizeRules): Violation[] {
  const bound = source.path.endsWith('.test.ts') ? rules.testLines : rules.moduleLines;
  const lines = lineCount(source.text);
  return lines > bound
    ? [{ path: source.path, line: bound + 1, problem: `${lines} lines; ${bound} is the bound` }]
    : [];
}

/** First lines of functions, of functions kept in a constant, and of methods, as the formatter lays them out. */
const beginnings = [
  /^(?:export )?(?:async )?function\*? ?(#?[\w$]+)/,
  /^(?:export )?const ([\w$]+)\b.*(?:=> \{|\($)/,
  /^ {2}(?:(?:static|override|async|get|set) )*\*?(#?[\w$]+)(?:<.*>)?\(/,
];

const statements = new Set(['if', 'for', 'while', 'switch', 'return', 'catch', 'super', 'test', 'describe', 'suite']);

/**
 * The index of the line that closes what begins at `start`; undefined when it has no body. The formatter puts the closing
 * brace at the beginning's own depth; `} {` and `}: Type {` there still belong to the parameters.
 */
function closingLine(lines: readonly string[], start: number): number | undefined {
  const first = lines[start] ?? '';
  const indent = /^ */.exec(first)?.[0] ?? '';
  if (/[;}]\)?;?\s*$/.test(first)) return undefined;
  for (let at = start + 1; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    if (!line.startsWith(indent) || line[indent.length] === ' ' || line.trim() === '') continue;
    if (/[{(,]\s*$/.test(line)) continue;
    return line[indent.length] === '}' ? at : undefined;
  }
  return undefined;
}

/** A function that only lists tests, such as a contract, is as long as they are many. */
const listsTests = /^ +(?:await )?(?:t\.)?(?:test|describe)\(/m;

/** Functions and methods beyond the bound. */
export function checkFunctionSizes(source: Source, rules: SizeRules): Violation[] {
  const lines = source.code.split('\n');
  const found: Violation[] = [];
  for (const [start, line] of lines.entries()) {
    const name = beginnings.map((pattern) => pattern.exec(line)?.[1]).find((match) => match !== undefined);
    if (name === undefined || statements.has(name)) continue;
    const end = closingLine(lines, start);
    const length = end === undefined ? 0 : end - start + 1;
    if (length <= rules.functionLines || listsTests.test(lines.slice(start, start + length).join('\n'))) continue;
    found.push({
      path: source.path,
      line: start + 1,
      problem: `${name}: ${length} lines; ${rules.functionLines} is the bound`,
    });
  }
  return found;
}

/** Calls, types and words that the project does without, and where they are allowed all the same. */
import { type Source, type Violation, violationAt } from './source.ts';

interface Ban {
  readonly pattern: RegExp;
  readonly problem: string;
  /** Where the ban holds; everywhere when absent. */
  readonly applies?: (path: string) => boolean;
}

/** Path → pieces of lines that the bans overlook there, each with its reason beside it. */
export type Exceptions = Readonly<Record<string, readonly string[]>>;

const isTest = (path: string): boolean => path.startsWith('test/') || path.endsWith('.test.ts');
const isUnitOrSuite = (path: string): boolean => path.endsWith('.test.ts');
const inPackages = (path: string): boolean => path.startsWith('packages/') && !isTest(path);
const inOctetCode = (path: string): boolean => /^packages\/[^/]+\/src\/(?:codec|mime|wire|heap)\//.test(path);

/** Looked for in code without comments and strings. */
const bans: readonly Ban[] = [
  {
    pattern: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bprocess\.hrtime\b/g,
    problem: 'reads the clock: take a Clock',
    applies: (path) => inPackages(path) && !path.includes('/src/sys/'),
  },
  {
    pattern: /\bconsole\./g,
    problem: 'prints: throw, or tell an observer',
    applies: (path) => inPackages(path) && !path.startsWith('packages/cli/'),
  },
  { pattern: /(?<![.\w$])any\b(?!\s*[(:?])/g, problem: '`any`: say what it is, or `unknown`' },
  {
    pattern: /(?<![.\w$])as\s+(?!const\b|default\b)[\w{[(|;,)]/g,
    problem: '`as`: narrow the type instead',
    applies: (path) => !isUnitOrSuite(path),
  },
  {
    pattern: /(?<=[\w$)\]])!(?!=)/g,
    problem: '`!`: check for undefined',
    applies: (path) => !isUnitOrSuite(path) && !inOctetCode(path),
  },
  {
    pattern: /(?<=[\w$)])!(?!=)/g,
    problem: '`!` on something else than an index',
    applies: (path) => !isUnitOrSuite(path) && inOctetCode(path),
  },
  { pattern: /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/gm, problem: 'enum: use a union of literals' },
  { pattern: /\bexport\s+default\b|\bas\s+default\b/g, problem: 'default export: name it' },
  {
    pattern: /\bexport\s+\*/g,
    problem: 'exports everything of another module: only index.ts gathers, by name',
  },
  {
    pattern: /\b(?:class|interface|type|function|const)\s+(?:\w*(?:Manager|Helper|Utils?|Info)|handle[A-Z]\w*)\b/g,
    problem: 'a name that says nothing: name what it does or holds',
  },
];

/** `import { a as b }` and its kin: `as` renames there. */
const moduleStatements = /^(?:import|export)\b(?:\s+type\b)?\s*(?:\{[^}]*\}|\*\s+as\s+\w+|[\w$]+\s*,\s*\{[^}]*\})/gm;

/** Marks that a reader must act on one day: they belong into the list of issues. */
const marks = /\b(?:TODO|FIXME|XXX|HACK)\b/;

/** Everything in a source that a ban finds. */
export function checkBans(source: Source, exceptions: Exceptions): Violation[] {
  const code = source.code.replace(moduleStatements, (text) => text.replace(/\bas\b(?!\s+default\b)/g, '  '));
  const lines = source.text.split('\n');
  const overlooked = exceptions[source.path] ?? [];
  const found: Violation[] = [];
  for (const { pattern, problem, applies } of bans) {
    if (applies !== undefined && !applies(source.path)) continue;
    for (const match of code.matchAll(pattern)) {
      const violation = violationAt(source, match.index, problem);
      const line = lines[violation.line - 1] ?? '';
      if (!overlooked.some((piece) => line.includes(piece))) found.push(violation);
    }
  }
  for (const comment of source.comments) {
    if (marks.test(comment.text)) found.push({ path: source.path, line: comment.line, problem: 'a left-over mark' });
  }
  return found;
}

/** A source file whose name is not in kebab-case. */
export function checkFileName(path: string): Violation[] {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test|\.d)?\.(?:ts|mjs)$/.test(name)) return [];
  return [{ path, line: 1, problem: 'file names are kebab-case' }];
}

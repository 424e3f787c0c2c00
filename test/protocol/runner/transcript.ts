/**
 * Reads a transcript: a dialogue with our daemons as a mail person would write it down, and what is done around it. README.md
 * beside this file is the manual; here is only its grammar. A line that is none of it is an error.
 */

/** One thing that happens, and the line it stands on. */
export type Step = { readonly line: number } & (
  | { readonly kind: 'send'; readonly connection: number; readonly text: string; readonly lineEnd: boolean }
  | { readonly kind: 'expect'; readonly connection: number; readonly text: string }
  /** Lines that nobody minds, up to the next one that is expected. */
  | { readonly kind: 'skip'; readonly connection: number }
  /** Lines in any order; `others`: among lines that nobody minds. */
  | {
      readonly kind: 'unordered';
      readonly connection: number;
      readonly texts: readonly string[];
      readonly others: boolean;
    }
  /** Something beside the dialogue, in words; `content` are its lines of `|`. */
  | { readonly kind: 'action'; readonly words: string; readonly content: readonly string[] }
);

export interface Transcript {
  /** What it shows, in a sentence. */
  readonly title: string;
  /** What is there before the daemons start. */
  readonly head: readonly Step[];
  readonly steps: readonly Step[];
}

interface Line {
  readonly number: number;
  readonly text: string;
}

const dialogue = /^([CS])(\d*):(?: (.*))?$/s;

/** @throws Error naming the line that is wrong */
export function parseTranscript(source: string): Transcript {
  const lines = source.split('\n').map((text, at): Line => ({ number: at + 1, text }));
  const first = lines.findIndex(({ text }) => !text.startsWith('#'));
  const title = lines
    .slice(0, first)
    .map(({ text }) => text.replace(/^# ?/, ''))
    .join(' ')
    .trim();
  if (title === '') throw new Error('a transcript begins with a comment that says what it shows');
  const rest = lines.slice(first).filter(({ text }) => text.trim() !== '' && !text.startsWith('#'));
  const divider = rest.findIndex(({ text }) => text === '---');
  if (divider === -1) throw new Error('a line of --- stands before the dialogue');
  const head = parseSteps(rest.slice(0, divider));
  const wrong = head.find(({ kind }) => kind !== 'action');
  if (wrong !== undefined) throw new Error(`line ${wrong.line}: a dialogue begins after the line of ---`);
  return { title, head, steps: parseSteps(rest.slice(divider + 1)) };
}

function parseSteps(lines: readonly Line[]): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = lines[at];
    if (line === undefined) break;
    if (line.text === 'unordered {') {
      const end = lines.findIndex(({ text }, index) => index > at && text === '}');
      if (end === -1) throw new Error(`line ${line.number}: no } ends this`);
      steps.push(unordered(line, lines.slice(at + 1, end)));
      at = end + 1;
    } else if (dialogue.test(line.text)) {
      steps.push(spoken(line));
      at += 1;
    } else {
      const content = contentBehind(lines, at);
      steps.push({ line: line.number, kind: 'action', words: line.text.trim(), content });
      at += 1 + content.length;
    }
  }
  return steps;
}

/** The lines of `|` that follow, without their mark. */
function contentBehind(lines: readonly Line[], at: number): string[] {
  const content: string[] = [];
  for (const { text } of lines.slice(at + 1)) {
    const [, inside] = /^\|(?: (.*))?$/s.exec(text) ?? [undefined, undefined];
    if (!text.startsWith('|')) break;
    content.push(inside ?? '');
  }
  return content;
}

function spoken({ number, text }: Line): Step {
  const [, who, digits = '', said = ''] = dialogue.exec(text) ?? [];
  const connection = digits === '' ? 1 : Number(digits);
  if (who === 'S') {
    if (said === '...') return { line: number, kind: 'skip', connection };
    return { line: number, kind: 'expect', connection, text: said };
  }
  const { text: sent, lineEnd } = withLineEnd(said);
  return { line: number, kind: 'send', connection, text: sent, lineEnd };
}

/** A backslash at the very end takes the line end away. */
export function withLineEnd(text: string): { readonly text: string; readonly lineEnd: boolean } {
  const [backslashes = ''] = /\\*$/.exec(text) ?? [];
  return backslashes.length % 2 === 1 ? { text: text.slice(0, -1), lineEnd: false } : { text, lineEnd: true };
}

function unordered(line: Line, lines: readonly Line[]): Step {
  const steps = lines.map(spoken);
  const texts = steps.flatMap((step) => (step.kind === 'expect' ? [step.text] : []));
  const connection = 'connection' in (steps[0] ?? {}) ? connectionOf(steps[0]) : 1;
  if (steps.some((step) => step.kind === 'send' || connectionOf(step) !== connection)) {
    throw new Error(`line ${line.number}: lines without order are of one server`);
  }
  return { line: line.number, kind: 'unordered', connection, texts, others: steps.some(({ kind }) => kind === 'skip') };
}

function connectionOf(step: Step | undefined): number {
  return step === undefined || step.kind === 'action' ? 1 : step.connection;
}

/** An answer in a form in which those of two servers can be compared, and what a session knows by its answers. */
import assert from 'node:assert/strict';
import { fetchItems, type Value } from '../imap/lists.ts';
import type { ImapAnswer, ImapClient } from '../support/imap-client.ts';

/** What remains of an answer; everything sorted that may come in any order. */
export interface Answer {
  /** `NO` and `BAD` are one: what a server sees as no command is its own affair. */
  readonly status: 'OK' | 'refused';
  readonly codes: readonly string[];
  /** By message number: what FETCH told, all lines of a message together. */
  readonly fetched: Readonly<Record<string, Readonly<Record<string, Value>>>>;
  /** Numbers, before the command, of messages that went. */
  readonly expunged: readonly number[];
  /** How many messages there are behind it. */
  readonly count: number;
  /** LIST, LSUB, STATUS. */
  readonly lines: readonly string[];
  /** What SEARCH found. */
  readonly found: readonly string[];
}

/** What differs between two answers to a command. */
export interface Difference {
  readonly command: string;
  /** mstore obeyed it. */
  readonly isDone: boolean;
  /** The mailbox is selected to be read only. */
  readonly isReadOnly: boolean;
  /** A field of an answer, or the name of what FETCH told. */
  readonly what: string;
  readonly ours: Value;
  readonly theirs: Value;
}

/** Every difference of two answers, those of FETCH item by item. */
export function differences(command: string, isReadOnly: boolean, ours: Answer, theirs: Answer): Difference[] {
  const found: Difference[] = [];
  const compare = (what: string, own: Value, other: Value): void => {
    if (JSON.stringify(own) === JSON.stringify(other)) return;
    found.push({ command, isDone: ours.status === 'OK', isReadOnly, what, ours: own, theirs: other });
  };
  compare('status', ours.status, theirs.status);
  compare('codes', ours.codes, theirs.codes);
  compare('expunged', ours.expunged.map(String), theirs.expunged.map(String));
  compare('count', `${ours.count}`, `${theirs.count}`);
  compare('lines', ours.lines, theirs.lines);
  compare('found', ours.found, theirs.found);
  for (const number of new Set([...Object.keys(ours.fetched), ...Object.keys(theirs.fetched)])) {
    const [own, other] = [ours.fetched[number] ?? {}, theirs.fetched[number] ?? {}];
    for (const item of new Set([...Object.keys(own), ...Object.keys(other)])) compare(item, own[item], other[item]);
  }
  return found;
}

/** A session whose mailbox's size is followed. */
export class Follower {
  count = 0;
  isSelected = false;
  isReadOnly = false;
  /** The flags that the last FLAGS named. */
  #flags: ReadonlySet<string> = new Set();
  readonly #client: ImapClient;

  constructor(client: ImapClient) {
    this.#client = client;
  }

  async ask(command: Buffer): Promise<Answer> {
    const answer = await this.#client.ask(command);
    const [, opens, closes] = /^(?:(SELECT|EXAMINE) |(CLOSE|UNSELECT)$)/i.exec(command.toString('latin1', 0, 10)) ?? [];
    const isDone = answer.status.startsWith('OK');
    // A mailbox that cannot be selected leaves none selected (RFC 9051 §6.3.2).
    if (opens !== undefined) this.isSelected = isDone;
    if (closes !== undefined && isDone) this.isSelected = false;
    if (opens !== undefined || !this.isSelected) this.count = 0;
    return this.#read(answer);
  }

  close(): void {
    this.#client.close();
  }

  #read({ untagged, status }: ImapAnswer): Answer {
    const numbers = Array.from({ length: this.count }, (_, index) => index + 1);
    const expunged: number[] = [];
    const fetched: Record<string, Record<string, Value>> = {};
    const lines: string[] = [];
    const matches: number[] = [];
    const codes = codesOf(status);
    if (codes.some((code) => code.startsWith('READ-'))) this.isReadOnly = codes.includes('READ-ONLY');
    for (const line of untagged) {
      const [, number = '', word] = /^\* (\d+) (EXISTS|EXPUNGE|FETCH)\b/.exec(line) ?? [];
      if (word === 'EXISTS') {
        while (numbers.length < Number(number)) numbers.push(0);
        this.count = Number(number);
      } else if (word === 'EXPUNGE') {
        expunged.push(...numbers.splice(Number(number) - 1, 1));
        this.count -= 1;
      } else if (word === 'FETCH') {
        const told = fetched[number] ?? {};
        fetched[number] = told;
        for (const [name, value] of fetchItems(line)) {
          if (name === 'FLAGS') this.#mustKnow(value);
          told[name.toUpperCase()] = name === 'FLAGS' ? flagsOf(value) : value;
        }
      } else if (line.startsWith('* FLAGS (')) this.#flags = new Set(line.slice('* FLAGS ('.length, -1).split(' '));
      else if (line.startsWith('* SEARCH')) matches.push(...line.split(' ').slice(2).map(Number));
      else if (/^\* (?:LIST|LSUB|STATUS) /.test(line)) lines.push(plainLine(line));
      else if (line.startsWith('* OK [')) codes.push(...codesOf(line.slice(2)));
    }
    return {
      status: status.startsWith('OK') ? 'OK' : 'refused',
      codes: codes.sort(),
      fetched,
      expunged: expunged.sort((a, b) => a - b),
      count: this.count,
      lines: lines.sort(),
      found: matches.sort((a, b) => a - b).map(String),
    };
  }

  /** No message shows a flag before FLAGS named it (RFC 3501 §7.2.6). */
  #mustKnow(flags: Value): void {
    for (const flag of Array.isArray(flags) ? flags : []) {
      if (flag !== '\\Recent') assert.ok(this.#flags.has(String(flag)), `${String(flag)} was not told`);
    }
  }
}

/** Response codes that both have to give; UIDVALIDITY is each server's own. */
function codesOf(text: string): string[] {
  const code = /^(?:OK|NO|BAD) \[(APPENDUID|COPYUID|TRYCREATE|READ-ONLY|READ-WRITE|UIDNEXT)([^\]]*)\]/.exec(text);
  if (code === null) return [];
  const [, name = '', rest = ''] = code;
  return [name + (name.endsWith('UID') ? rest.replace(/^ \d+/, '') : rest)];
}

/** Sorted, without `\Recent`, of which servers may think differently. */
function flagsOf(value: Value): Value {
  return Array.isArray(value) ? value.filter((flag) => flag !== '\\Recent').sort() : value;
}

/** Attributes that a server may tell or not. */
const passedOver: ReadonlySet<string> = new Set(['', '\\marked', '\\unmarked']);

/** A line of LIST, LSUB or STATUS: attributes sorted, names in one form. */
function plainLine(line: string): string {
  const [, word = '', attributes = '', rest = ''] = /^\* (LIST|LSUB) \(([^)]*)\) "\/" (.*)$/.exec(line) ?? [];
  if (word === '') return line.replace(/"([^"() ]+)"/, '$1');
  const kept = attributes.split(' ').map((attribute) => attribute.toLowerCase().replace('nonexistent', 'noselect'));
  const told = [...new Set(kept)].filter((attribute) => !passedOver.has(attribute)).sort();
  return `${word} (${told.join(' ')}) ${rest.replace(/^"([^"() ]*)"/, '$1')}`;
}

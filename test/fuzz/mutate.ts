/** Dialogues that go wrong: real ones with octets, lines and sizes changed, and the ways in which a peer may send and leave them. */
import { setImmediate as turn } from 'node:timers/promises';
import { Peer } from '../support/peer.ts';
import type { Random } from '../support/random.ts';

/** Octets that mean something to somebody. */
const telling: readonly string[] = [
  '\0',
  '\r',
  '\n',
  '\r\n',
  '\n\r',
  '.',
  '\r\n.\r\n',
  ' ',
  '<',
  '>',
  '"',
  '@',
  '\x80',
  '\xff',
];

function line(random: Random, lines: readonly string[]): number {
  return random.int(lines.length);
}

type Mutation = (lines: string[], random: Random) => void;

/** Each changes one thing, in place. */
const mutations: readonly Mutation[] = [
  (lines, random) =>
    change(lines, random, (text, at) => text.slice(0, at) + random.bytes(1).toString('latin1') + text.slice(at + 1)),
  (lines, random) => change(lines, random, (text, at) => text.slice(0, at) + random.pick(telling) + text.slice(at)),
  (lines, random) => change(lines, random, (text, at) => text.slice(0, at) + text.slice(at + 1 + random.int(8))),
  (lines, random) =>
    change(lines, random, (text, at) => text.slice(0, at) + 'x'.repeat(1 + random.int(20_000)) + text.slice(at)),
  // A size, a number, or what stands where one should.
  (lines, random) =>
    change(lines, random, (text) =>
      text.replace(/\d+/, random.pick(['0', '1', '-1', '999999999999', '4294967296', '1e3', ''])),
    ),
  (lines, random) => void lines.splice(line(random, lines), 1),
  (lines, random) => void lines.splice(line(random, lines), 0, lines[line(random, lines)] ?? ''),
  (lines, random) => {
    const [moved = ''] = lines.splice(line(random, lines), 1);
    lines.splice(line(random, lines), 0, moved);
  },
  (lines, random) => {
    const repeated = lines[line(random, lines)] ?? '';
    lines.splice(line(random, lines), 0, ...Array.from({ length: random.int(40) }, () => repeated));
  },
  (lines, random) =>
    change(lines, random, (text) => text.replace(/\r\n$/, random.pick(['\n', '\r', '', '\r\r\n', '\0\r\n']))),
  (lines, random) => change(lines, random, (text) => (random.chance(0.5) ? text.toLowerCase() : text.toUpperCase())),
];

function change(lines: string[], random: Random, how: (text: string, at: number) => string): void {
  const index = line(random, lines);
  const text = lines[index] ?? '';
  lines[index] = how(text, random.int(text.length + 1));
}

/** The dialogue with some things changed, from its line `from` on; in latin1, a line end in each line. */
export function mutated(dialogue: readonly string[], from: number, random: Random): string {
  const lines = dialogue.slice(from);
  for (let count = 1 + random.int(4); count > 0; count -= 1) random.pick(mutations)(lines, random);
  const all = dialogue.slice(0, from).join('') + lines.join('');
  return random.chance(0.15) ? all.slice(0, random.int(all.length)) : all;
}

/** Sends octets in pieces of any size, some of them after a while. */
export async function sendInPieces(peer: Peer, octets: Buffer, random: Random): Promise<void> {
  const pieces = random.chance(0.3) ? 1 : 1 + random.int(12);
  const cuts = Array.from({ length: pieces - 1 }, () => random.int(octets.length + 1)).sort((a, b) => a - b);
  let from = 0;
  for (const cut of [...cuts, octets.length]) {
    void peer.write(octets.subarray(from, cut));
    from = cut;
    if (random.chance(0.7)) await turn();
  }
}

/** How a peer leaves: having heard everything, or breaking off whatever comes. */
export type Leaving = 'half-close' | 'reset';

/** Says a dialogue to a daemon, and leaves; what it heard, in latin1. */
export async function say(address: string, text: string, leaving: Leaving, random: Random): Promise<string> {
  const peer = await Peer.connect(address);
  await sendInPieces(peer, Buffer.from(text, 'latin1'), random);
  if (leaving === 'reset') {
    for (let turns = random.int(20); turns > 0; turns -= 1) await turn();
    const heard = peer.pending.toString('latin1');
    peer.kill();
    return heard;
  }
  if (random.chance(0.5)) await turn();
  peer.end();
  const heard = (await peer.rest()).toString('latin1');
  peer.kill();
  return heard;
}

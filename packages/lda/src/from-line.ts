/** The From_ line of an mbox (RFC 4155), as a mail server may put it before a message it pipes. */

const LF = 10;
/** Octets after which a line that goes on with blanks is taken for what it most often is. */
const decidedBytes = 998;

/** What a message's first octets are: the From_ line, something else, or not to be told yet. */
function kindOf(first: Buffer): 'dropping' | 'passing' | 'undecided' {
  const text = first.toString('latin1', 0, decidedBytes);
  if (!'From '.startsWith(text.slice(0, 5))) return 'passing';
  const next = /^From [ \t]*([^ \t])/.exec(text)?.[1];
  if (next === undefined) return text.length < decidedBytes ? 'undecided' : 'dropping';
  return next === ':' ? 'passing' : 'dropping';
}

/** Leaves out a first line that begins with `From `, unless a colon follows: then it is a header field in the obsolete form of RFC
 *  5322 §4.5.2. One that begins with `>From ` belongs to the message. */
export async function* dropFromLine(octets: AsyncIterable<Buffer | string>): AsyncGenerator<Buffer> {
  let state: 'undecided' | 'dropping' | 'passing' = 'undecided';
  let held = Buffer.alloc(0);
  for await (const piece of octets) {
    let some = typeof piece === 'string' ? Buffer.from(piece) : piece;
    if (state === 'undecided') {
      held = Buffer.concat([held, some]);
      state = kindOf(held);
      if (state === 'undecided') continue;
      some = held;
    }
    if (state === 'dropping') {
      const end = some.indexOf(LF);
      if (end === -1) continue;
      state = 'passing';
      some = some.subarray(end + 1);
    }
    if (some.length > 0) yield some;
  }
  if (state === 'undecided' && held.length > 0) yield held;
}

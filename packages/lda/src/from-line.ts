/** The From_ line of an mbox (RFC 4155), as a mail server may put it before a message it pipes. */

const LF = 10;
const start = Buffer.from('From ');

/** Leaves out a first line that begins with `From `. One that begins with `>From ` belongs to the message. */
export async function* dropFromLine(octets: AsyncIterable<Buffer | string>): AsyncGenerator<Buffer> {
  let state: 'undecided' | 'dropping' | 'passing' = 'undecided';
  let held = Buffer.alloc(0);
  for await (const piece of octets) {
    let some = typeof piece === 'string' ? Buffer.from(piece) : piece;
    if (state === 'undecided') {
      held = Buffer.concat([held, some]);
      if (held.length < start.length && start.subarray(0, held.length).equals(held)) continue;
      state = held.subarray(0, start.length).equals(start) ? 'dropping' : 'passing';
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

/** What the suites of mail servers share: how mail is put in, and what a server says became of it. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { counts } from '../../support/long.ts';
import { WireClient } from '../../support/wire-client.ts';

export interface Submission {
  /** Lines end in CRLF. */
  readonly message: Buffer;
  readonly recipients: readonly string[];
  /** Empty: the null reverse-path. */
  readonly sender: string;
}

/** One recipient of a message in the queue. */
export interface Waiting {
  readonly id: string;
  readonly recipient: string;
  /** Why it is still there; empty when it was not tried, or the server keeps the reason elsewhere. */
  readonly reason: string;
}

/** What the log says about an attempt. */
export interface Attempt {
  readonly id: string;
  readonly recipient: string;
  readonly outcome: 'sent' | 'deferred' | 'bounced';
  /** The rest of the line. */
  readonly text: string;
}

/** A mail server of somebody else, set up as our documents say. */
export interface Mta extends AsyncDisposable {
  /** Takes a message; the queue's id for it. */
  submit(submission: Submission): Promise<string>;
  /** Several in one session. */
  submitAll(submissions: readonly Submission[]): Promise<readonly string[]>;
  /** Makes it try everything that waits, now. */
  flush(): Promise<void>;
  queue(): Promise<readonly Waiting[]>;
  /** Every attempt since the start, in order. */
  attempts(): Promise<readonly Attempt[]>;
}

const waitMs = counts(60_000, 900_000);

/** Polls until `look` gives something. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`not within ${waitMs} ms: ${what}`);
    await pause(25);
  }
}

/** Waits until the server holds nothing any more. */
export async function emptyQueue(mta: Mta): Promise<void> {
  await eventually('an empty queue', async () => ((await mta.queue()).length === 0 ? true : undefined));
}

/** Waits for the first outcome of this kind, and gives the attempt. */
export function outcome(mta: Mta, id: string, recipient: string, kind: Attempt['outcome']): Promise<Attempt> {
  return eventually(`${recipient} of ${id}: ${kind}`, async () =>
    (await mta.attempts()).find((at) => at.id === id && at.recipient === recipient && at.outcome === kind),
  );
}

/** An SMTP session (RFC 5321) that sends these messages; the queue's ids. */
export async function sendBySmtp(address: string, submissions: readonly Submission[]): Promise<readonly string[]> {
  const wire = await WireClient.connect(address);
  try {
    await replyOf(wire, 220);
    await say(wire, 'EHLO sender.test', 250);
    const ids: string[] = [];
    for (const { sender, recipients, message } of submissions) {
      await say(wire, `MAIL FROM:<${sender}> BODY=8BITMIME SIZE=${message.length}`, 250);
      for (const recipient of recipients) await say(wire, `RCPT TO:<${recipient}>`, 250);
      await say(wire, 'DATA', 354);
      await wire.send(dotEnded(message));
      const queued = await replyOf(wire, 250);
      const id = /(?:queued as |id=)(\S+)/.exec(queued)?.[1];
      assert.ok(id, queued);
      ids.push(id);
    }
    await say(wire, 'QUIT', 221);
    return ids;
  } finally {
    wire.close();
  }
}

/** Says a line and expects this code; the reply's last line. */
export async function say(wire: WireClient, line: string, code: number): Promise<string> {
  await wire.send(`${line}\r\n`);
  return replyOf(wire, code);
}

async function replyOf(wire: WireClient, code: number): Promise<string> {
  for (;;) {
    const line = (await wire.line()) ?? 'the connection ended';
    if (/^\d{3}-/.test(line)) continue;
    assert.equal(line.slice(0, 3), String(code), line);
    return line;
  }
}

function dotEnded(message: Buffer): Buffer {
  const text = message.toString('latin1').replace(/(^|\r\n)\./g, '$1..');
  assert.ok(text.endsWith('\r\n'), 'a message ends with a line end');
  return Buffer.from(`${text}.\r\n`, 'latin1');
}

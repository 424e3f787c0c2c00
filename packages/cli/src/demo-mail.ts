/** The mail of the demo: the same messages each time, some with one of a few attachments, as mail between colleagues is. */
import { createHash } from 'node:crypto';

export const demoMessages = 360;

const people = ['ada', 'grace', 'edsger', 'barbara', 'donald', 'radia', 'ken', 'frances'];
const topics = ['the minutes', 'Tuesday', 'our new logo', 'the budget', 'lunch', 'the move', 'holidays', 'the printer'];
const sentences = [
  'Please find the file below.',
  'I have looked at it and have nothing to add.',
  'Can we talk about this tomorrow?',
  'From what I hear, everybody agrees.',
  'The old one is still in the archive, should anybody ask.',
  'It is larger than last time, but then so is everything.',
];
const attachments = ['minutes.pdf', 'logo.png', 'budget.xls', 'plan.pdf', 'photo.jpg'];

/** 2026-01-05 08:00:00 UTC. */
const startSeconds = 1_767_600_000;

/** When message `n` came, in seconds since 1970. */
export function demoDate(n: number): number {
  return startSeconds + n * 5_400;
}

/** Message `n`, with CRLF. */
export function demoMessage(n: number): Buffer {
  const from = pick(people, n * 7 + 3);
  const to = pick(people, n * 5 + 1);
  const head = [
    `Received: from mx.example.org by mail.example.org; ${rfcDate(demoDate(n))}`,
    `From: ${from} <${from}@example.org>`,
    `To: ${to} <${to}@example.org>`,
    `Subject: ${n % 3 === 0 ? 'Re: ' : ''}About ${pick(topics, n)}`,
    `Date: ${rfcDate(demoDate(n))}`,
    `Message-ID: <demo-${n}@example.org>`,
    'MIME-Version: 1.0',
  ];
  const text = Array.from({ length: 4 + (n % 23) }, (_, line) => pick(sentences, n + line * line)).join('\r\n');
  if (n % 3 !== 0) return lines([...head, 'Content-Type: text/plain; charset=us-ascii', '', text, '']);
  const which = (n / 3) % attachments.length;
  const boundary = `=-demo-${n}`;
  return lines([
    ...head,
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=us-ascii',
    '',
    text,
    `--${boundary}`,
    `Content-Type: application/octet-stream; name="${pick(attachments, which)}"`,
    'Content-Transfer-Encoding: base64',
    `Content-Disposition: attachment; filename="${pick(attachments, which)}"`,
    '',
    // Mail programs differ in how long they make their lines; the content is the same.
    wrapped(attachment(which), n % 2 === 0 ? 76 : 72),
    `--${boundary}--`,
    '',
  ]);
}

function lines(all: readonly string[]): Buffer {
  return Buffer.from(all.join('\r\n'));
}

function pick(choices: readonly string[], n: number): string {
  return choices[n % choices.length] ?? '';
}

const made = new Map<number, Buffer>();

/** Octets that no compressor makes smaller, as those of pictures and documents. */
function attachment(which: number): Buffer {
  const known = made.get(which);
  if (known !== undefined) return known;
  const blocks = Array.from({ length: 1_500 * (which + 1) }, (_, n) =>
    createHash('sha256').update(`${which} ${n}`).digest(),
  );
  const octets = Buffer.concat(blocks);
  made.set(which, octets);
  return octets;
}

function wrapped(octets: Buffer, columns: number): string {
  return octets.toString('base64').replace(new RegExp(`.{${columns}}(?!$)`, 'g'), '$&\r\n');
}

function rfcDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString().replace('GMT', '+0000');
}

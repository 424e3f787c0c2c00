/**
 * Rehearsal: what deliveries do, done some hundred times with made-up mail in batches that are thrown away. A writer that was
 * started again meets the queues of mail servers at once, and code that the engine has not compiled yet costs three times as
 * much. Nothing is written, no number is given out, and no reader sees any of it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../sys/clock.ts';
import type { Committer } from './batch.ts';
import { decideCreateAccount } from './intents/account.ts';
import { decideDeliver } from './intents/place.ts';
import type { MailWriter, TakenMessage } from './mail-writer.ts';
import { preparedOf } from './writer.ts';

/** Messages of a round: some ms of the event loop. */
const messagesPerRound = 4;
const rounds = 100;
/** Every so often a large one: they are split as they come. */
const largeEvery = 10;
const largeBytes = 400_000;
/** ms after which it is enough, however slow the machine. */
const enoughMs = 1_500;

/** @throws nothing of consequence: whoever asked goes on */
export async function rehearse(writer: MailWriter, committer: Committer, clock: Clock): Promise<void> {
  const start = clock.monotonic();
  for (let round = 0; round < rounds && clock.monotonic() - start < enoughMs; round++) {
    const taken: TakenMessage[] = [];
    for (let n = 0; n < messagesPerRound; n++) taken.push(await writer.take(message(round * messagesPerRound + n)));
    if (round % largeEvery === 0) taken.push(await writer.take(large(round)));
    await committer.rehearse((turn) => {
      const { account } = decideCreateAccount(turn, `rehearsal-${turn.state.account}`);
      for (const one of taken) decideDeliver(turn, preparedOf(one), [{ account, trace }]);
    });
    await nextTurn();
  }
}

const trace: Buffer = Buffer.from('Return-Path: <a@example.org>\r\nDelivered-To: b@example.org\r\n');
const words: readonly string[] = 'nobody will ever read this mail but the engine compiles what it meets'.split(' ');

/** Text of so many octets, other for each `n`. */
function text(n: number, bytes: number): string {
  const lines: string[] = [];
  for (let size = 0, at = n; size < bytes; at += 3) {
    const line = Array.from({ length: 9 }, (_, column) => words[(at * (column + 7)) % words.length]).join(' ');
    lines.push(`${at} ${line}`);
    size += line.length + 6;
  }
  return lines.join('\r\n');
}

function head(n: number): string {
  return [
    `Received: from a.example.org (a.example.org [192.0.2.${n % 256}])\r\n\tby b.example.org; Thu, 1 Jan 1970 00:00:00 +0000`,
    `From: "A. Name" <a${n}@example.org>`,
    'To: b@example.org, C <c@example.org>',
    `Subject: =?utf-8?Q?rehearsal_${n}?=`,
    `Message-ID: <${n}@rehearsal.example.org>`,
    `References: <${n + 1}@rehearsal.example.org>`,
    'Date: Thu, 1 Jan 1970 00:00:00 +0000',
    'MIME-Version: 1.0',
  ].join('\r\n');
}

/** Mail as it comes: a text, or one with an HTML twin and an attachment. */
function message(n: number): Buffer {
  if (n % 3 > 0)
    return Buffer.from(`${head(n)}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${text(n, 5_000)}\r\n`);
  return Buffer.from(
    `${head(n)}\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n` +
      `--c\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${text(n, 1_500)}=\r\n\r\n` +
      `--c\r\nContent-Type: text/html; charset="utf-8"\r\n\r\n<p>${text(n, 3_000)}</p>\r\n--c--\r\n${attachment(n, 20_000)}--b--\r\n`,
  );
}

function large(n: number): Buffer {
  const type = 'Content-Type: multipart/mixed; boundary="b"';
  return Buffer.from(
    `${head(n)}\r\n${type}\r\n\r\n--b\r\n\r\n${text(n, 500)}\r\n${attachment(n, largeBytes)}--b--\r\n`,
  );
}

function attachment(n: number, bytes: number): string {
  const base64 = Buffer.from(text(n, bytes)).toString('base64').replace(/.{76}/g, '$&\r\n');
  const disposition = 'Content-Disposition: attachment; filename="a.bin"';
  return `--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n${disposition}\r\n\r\n${base64}\r\n`;
}

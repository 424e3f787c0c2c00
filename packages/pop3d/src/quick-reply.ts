/**
 * RETR of a small message that is at hand: status line, message and final dot in one buffer and one write. What it gives is octet for
 * octet what outgoing.ts would send, which does everything else.
 */
import { DotEncoder } from '@mstore/net';
import { limits } from './limits.ts';
import { replaceNul } from './nul.ts';
import { ok } from './reply.ts';
import type { Session } from './session.ts';

const cr = 13;
const lf = 10;
const dot = 46;
const lineDot = Buffer.from('\r\n.', 'latin1');
const lastDot = Buffer.from('.\r\n', 'latin1');
const lastLineAndDot = Buffer.from('\r\n.\r\n', 'latin1');

/** Room for the status line, and for the longest end. */
const margins = { before: 32, behind: lastLineAndDot.length, bytesMax: limits.quickReplyBytes };

/** The whole answer; undefined where the message is not small, not at hand or not whole. */
export function quickReply({ services, maildrop }: Session, number: number): Buffer | undefined {
  if (maildrop === undefined || maildrop.listing.size(number - 1) > limits.quickReplyBytes) return undefined;
  const place = maildrop.listing.place(number - 1);
  if (services.damaged.has(place.message)) return undefined;
  const octets = services.reading.atHand(place, margins);
  if (octets === undefined) return undefined;
  const end = octets.length - margins.behind;
  const message = octets.subarray(margins.before, end);
  if (services.replacesNul) replaceNul(message);
  const status = ok(`${message.length} octets`);
  if (needsDots(message)) return withDots(status, message);
  const start = margins.before - status.length;
  octets.write(status, start, 'latin1');
  return octets.subarray(start, end + endOf(message).copy(octets, end));
}

function needsDots(message: Buffer): boolean {
  return message[0] === dot || (message.includes(dot) && message.includes(lineDot));
}

/** What follows the message; one whose last line does not end gets that. */
function endOf(message: Buffer): Buffer {
  const { length } = message;
  const isWhole = length === 0 || (message[length - 1] === lf && message[length - 2] === cr);
  return isWhole ? lastDot : lastLineAndDot;
}

function withDots(status: string, message: Buffer): Buffer {
  const encoder = new DotEncoder();
  return Buffer.concat([Buffer.from(status, 'latin1'), ...encoder.push(message), encoder.finish()]);
}

/**
 * Parts with their transfer encoding taken off (RFC 9051 §6.4.5, RFC 3516). How large one is has to be known before its first octet is
 * sent: what is not encoded and what the store keeps decoded tell that by themselves, small parts are decoded and held, and the rest is
 * decoded once more to count.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type StoredContent, transferDecoder } from '@mstore/store';
import { gathered } from './gathered-octets.ts';
import { limits } from './limits.ts';
import type { EncodedBody, MessageSource } from './message-source.ts';

/** Undefined: there is no such part; `unknown`: it is encoded in a way that is not known. @throws {StoreError} corrupt */
export async function decodedContent(
  source: MessageSource,
  part: readonly number[],
): Promise<StoredContent | 'unknown' | undefined> {
  const body = await source.body(part);
  if (body === undefined) return undefined;
  const { from, to, encoding } = body;
  if (transferDecoder(encoding) === undefined) return 'unknown';
  if (['7bit', '8bit', 'binary'].includes(encoding)) {
    return { bytes: to - from, octets: (first, behind) => source.octets(from + first, from + behind) };
  }
  const stored = encoding === 'base64' ? (await source.open()).content(from, to) : undefined;
  if (stored !== undefined) return stored;
  if (to - from <= limits.gatherBytes) return held(decoded(source, body));
  const bytes = source.decodedBytes.get(from) ?? (await countOf(decoded(source, body)));
  source.decodedBytes.set(from, bytes);
  return { bytes, octets: (first, behind) => window(decoded(source, body), first, behind) };
}

async function countOf(pieces: AsyncGenerator<Buffer>): Promise<number> {
  let bytes = 0;
  for await (const octets of pieces) bytes += octets.length;
  return bytes;
}

/** Few octets, decoded once. */
async function held(pieces: AsyncGenerator<Buffer>): Promise<StoredContent> {
  const content = await gathered(pieces);
  return {
    bytes: content.length,
    octets: async function* (first, behind) {
      yield content.subarray(first, behind);
    },
  };
}

async function* decoded(source: MessageSource, { from, to, encoding }: EncodedBody): AsyncGenerator<Buffer> {
  const decoder = transferDecoder(encoding);
  if (decoder === undefined) throw new Error(`${encoding} is not known`);
  let hasWorked = false;
  for await (const octets of source.octets(from, to)) {
    for (let at = 0; at < octets.length; at += limits.decodeBytes) {
      if (at > 0 || hasWorked) await turn();
      hasWorked = true;
      yield decoder.push(octets.subarray(at, at + limits.decodeBytes));
    }
  }
  yield decoder.end();
}

/** Of the octets those from `first` to `behind` − 1. */
async function* window(pieces: AsyncGenerator<Buffer>, first: number, behind: number): AsyncGenerator<Buffer> {
  let at = 0;
  for await (const octets of pieces) {
    const here = octets.subarray(Math.max(first - at, 0), Math.max(behind - at, 0));
    if (here.length > 0) yield here;
    at += octets.length;
    if (at >= behind) return;
  }
}

/** zstd for payloads, kept only where it saves enough (docs/format/heap.md, codec 1). */
import zstd from 'zstd-napi/binding.js';
import { limits } from '../limits.ts';
import type { Payload } from '../log/records.ts';

/** Level 3 saves one more percent of a mixed mailbox and takes half as long again. */
const level = 1;

let context: zstd.CCtx | undefined;
/** Where frames are made; reused, so that large content leaves no garbage behind it. */
let scratch = Buffer.alloc(0);

/** The octets as a payload: a zstd frame when that is at least 10 % smaller, else as they are (by reference). */
export function compress(octets: Buffer): Payload {
  const plainBytes = octets.length;
  if (plainBytes < limits.zstdBytesMin) return { octets, codec: 0, plainBytes };
  context ??= new zstd.CCtx();
  const bound = zstd.compressBound(plainBytes);
  if (scratch.length < bound) scratch = Buffer.allocUnsafeSlow(bound);
  const length = context.compress(scratch, octets, level);
  if (length > plainBytes * (1 - limits.zstdGainPercent / 100)) return { octets, codec: 0, plainBytes };
  return { octets: Buffer.from(scratch.subarray(0, length)), codec: 1, plainBytes };
}

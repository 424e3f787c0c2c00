/** zstd for payloads, kept only where it saves enough (docs/format/heap.md, codec 1). */
import { Compressor } from 'zstd-napi';
import { limits } from '../limits.ts';
import type { Payload } from '../log/records.ts';

const level = 3;

const compressor = new Compressor();
compressor.setParameters({ compressionLevel: level });

/** The octets as a payload: a zstd frame when that is at least 10 % smaller, else as they are (by reference). */
export function compress(octets: Buffer): Payload {
  const plainBytes = octets.length;
  if (plainBytes >= limits.zstdBytesMin) {
    const frame = compressor.compress(octets);
    if (frame.length <= plainBytes * (1 - limits.zstdGainPercent / 100)) return { octets: frame, codec: 1, plainBytes };
  }
  return { octets, codec: 0, plainBytes };
}

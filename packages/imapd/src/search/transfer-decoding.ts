/**
 * Takes the transfer encoding off octets that are to be searched, as the store does for readers, but that octets of an unknown
 * encoding stay as they are, and that nothing behind the padding of base64 is text.
 */
import { transferDecoder as readingDecoder } from '@mstore/store';

type TransferDecoder = NonNullable<ReturnType<typeof readingDecoder>>;

const noOctets = Buffer.alloc(0);

const padding = 0x3d;

/** For that encoding, in small letters. */
export function transferDecoder(encoding: string): TransferDecoder {
  const decoder = readingDecoder(encoding);
  if (decoder === undefined) return { push: (octets) => octets, end: () => noOctets };
  return encoding === 'base64' ? upToPadding(decoder) : decoder;
}

function upToPadding(decoder: TransferDecoder): TransferDecoder {
  let hasEnded = false;
  return {
    push: (octets) => {
      if (hasEnded) return noOctets;
      const at = octets.indexOf(padding);
      hasEnded = at !== -1;
      return decoder.push(hasEnded ? octets.subarray(0, at) : octets);
    },
    end: () => decoder.end(),
  };
}

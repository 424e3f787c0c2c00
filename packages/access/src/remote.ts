/** Where daemons without TLS may listen. */
import { isLocalAddress, type placesOf } from '@mstore/net';

/** @throws Error for an address that would let passwords cross the network in the clear, unless the section's setting allows it */
export function refuseRemote(
  places: ReturnType<typeof placesOf>,
  section: 'imap' | 'pop3',
  { plaintextAnywhere }: { readonly plaintextAnywhere: boolean },
): void {
  if (plaintextAnywhere || places.every(({ address }) => isLocalAddress(address))) return;
  throw new Error(
    `${section.toUpperCase()} without TLS does not listen beyond this machine: passwords would cross the network in the clear. ` +
      `Listen on 127.0.0.1, or set ${section}.plaintextAnywhere = true where the network may be trusted`,
  );
}

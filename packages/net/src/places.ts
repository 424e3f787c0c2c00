/** Where a daemon listens in all: on sockets that a supervisor bound, and at addresses of its own. */
import { addressBelow, type ListenAddress, parseListenAddress } from './address.ts';
import type { InheritedSocket } from './inherited.ts';
import { Listener, type ListenerOptions } from './listener.ts';

/** An address, and the socket that is bound to it; undefined where it is still to be opened. */
export interface Place {
  readonly address: ListenAddress;
  readonly socket: InheritedSocket | undefined;
}

/** @throws Error for words that are no address */
export function placesOf(sockets: readonly InheritedSocket[], directory: string, texts: readonly string[]): Place[] {
  return [
    ...sockets.map((socket): Place => ({ address: parseListenAddress(socket.address), socket })),
    ...texts.map((text): Place => ({ address: addressBelow(directory, text), socket: undefined })),
  ];
}

/** Listens everywhere, or nowhere. @throws Error for an address that cannot be had */
export async function listenEverywhere(places: readonly Place[], options: ListenerOptions): Promise<Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (const { address, socket } of places) {
      listeners.push(
        socket === undefined
          ? await Listener.listen(address, options)
          : await Listener.listenOn(socket.fd, options, socket.address),
      );
    }
    return listeners;
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.drain(0)));
    throw error;
  }
}

/**
 * The listening sockets, bound and held here, so that an address outlives the child that listens on it. Children of a supervisor that
 * was killed may still hold theirs for a moment: `waitMs` is for them.
 */
import { type Clock, formatListenAddress, HeldSocket, type ListenAddress } from '@mstore/net';
import { errnoOf, errorText } from '@mstore/store';
import { CommandError, exit } from '../errors.ts';
import { limits } from './limits.ts';
import type { Listening } from './listen.ts';

export interface BindOptions {
  readonly clock: Clock;
  /** ms to wait for addresses that are taken. */
  readonly waitMs: number;
  /** A port that is taken is replaced by one that the system chooses. */
  readonly anyPort: boolean;
  readonly stopping: AbortSignal;
}

/** Whoever delivers belongs to the group; everything else is the owner's. */
const groupListeners: readonly string[] = ['lmtp', 'lda'];

/** Binds all, or none. @throws CommandError naming the first that cannot be */
export async function bindAll(listening: Listening, options: BindOptions): Promise<Map<string, HeldSocket[]>> {
  const bound = new Map<string, HeldSocket[]>();
  try {
    for (const [name, addresses] of listening) {
      const sockets: HeldSocket[] = [];
      bound.set(name, sockets);
      for (const address of addresses) {
        const bind = (at: ListenAddress): Promise<HeldSocket> =>
          HeldSocket.bind(at, groupListeners.includes(name) ? 0o660 : 0o600);
        sockets.push(await opening(name, address, options, bind));
      }
    }
    return bound;
  } catch (error) {
    for (const socket of [...bound.values()].flat()) socket.close();
    throw error;
  }
}

/** Opens one address in the manner of `open`. @throws CommandError */
export async function opening<Opened>(
  name: string,
  address: ListenAddress,
  { clock, waitMs, anyPort, stopping }: BindOptions,
  open: (address: ListenAddress) => Promise<Opened>,
): Promise<Opened> {
  const deadline = clock.monotonic() + waitMs;
  for (;;) {
    try {
      return await open(address);
    } catch (error) {
      const isTaken = errnoOf(error) === 'EADDRINUSE' || address.kind === 'unix';
      if (isTaken && clock.monotonic() < deadline && !stopping.aborted) {
        await new Promise((resolve) => setTimeout(resolve, limits.addressRetryMs));
      } else if (errnoOf(error) === 'EADDRINUSE' && anyPort && address.kind === 'tcp' && address.port !== 0) {
        return await opening(name, { ...address, port: 0 }, { clock, waitMs: 0, anyPort: false, stopping }, open);
      } else throw refusal(name, address, error);
    }
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'permission denied',
};

function refusal(name: string, address: ListenAddress, error: unknown): CommandError {
  const errno = errnoOf(error) ?? '';
  const code = errno === 'EACCES' ? exit.noPermission : exit.unavailable;
  // One errno for both, of the library that Node calls.
  const isFolder = address.kind === 'unix' && errno === 'EACCES';
  const why = isFolder ? 'its folder does not exist, or is not ours to write' : (reasons[errno] ?? errorText(error));
  return new CommandError(code, `cannot listen for ${name} on ${formatListenAddress(address)}: ${why}`);
}

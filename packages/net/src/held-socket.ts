/**
 * A listening address that outlives who listens on it: bound and held by the supervisor, which never accepts, and inherited by one child
 * after another as a descriptor (`Listener.listenOn`). So a port chosen by the system stays, and what connects while a child is
 * replaced waits in the kernel's queue. Until the first child listens, connections are refused.
 *
 * Node binds without listening only for its own cluster module, by a function that is exported but not documented; it is used here
 * and nowhere else, and its absence is an error at start.
 */
import { chmod } from 'node:fs/promises';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { allowingNobody, formatListenAddress, type ListenAddress, removeStaleSocket } from './address.ts';
import { invariant } from './errors.ts';

/** Give `handle` to `spawn` in `stdio`; the child finds the descriptor at that place. */
export class HeldSocket {
  /** Where it is bound, with the port it got. */
  readonly address: string;
  readonly handle: object;

  private constructor(handle: object, address: string) {
    this.handle = handle;
    this.address = address;
  }

  /**
   * Binds an address.
   * @throws Error with the errno name as its code
   */
  static async bind(address: ListenAddress, unixMode: number = 0o600): Promise<HeldSocket> {
    if (address.kind === 'unix') {
      await removeStaleSocket(address.path);
      const handle = allowingNobody(() => bindHandle(address, [address.path, -1, -1]));
      await chmod(address.path, unixMode);
      return new HeldSocket(handle, formatListenAddress(address));
    }
    const family = address.host.includes(':') ? 6 : 4;
    const handle = bindHandle(address, [address.host, address.port, family]);
    return new HeldSocket(handle, formatListenAddress({ ...address, port: portOf(handle, address) }));
  }

  /** Lets the address go; a Unix socket's path disappears. Children that still listen keep theirs. */
  close(): void {
    call(this.handle, 'close');
  }
}

function bindHandle(address: ListenAddress, place: readonly unknown[]): object {
  const result: unknown = call(net, '_createServerHandle', ...place, -1, 0);
  if (typeof result === 'object' && result !== null) return result;
  throw notBound(address, result);
}

/** A port that is taken shows here: the system's library keeps that failure of bind(2) for the next call. */
function portOf(handle: object, address: ListenAddress): number {
  const name: { port?: number } = {};
  const result = call(handle, 'getsockname', name);
  if (name.port !== undefined) return name.port;
  call(handle, 'close');
  throw notBound(address, result);
}

function notBound(address: ListenAddress, result: unknown): Error {
  const code = typeof result === 'number' && result < 0 ? getSystemErrorName(result) : 'UNKNOWN';
  return Object.assign(new Error(`${formatListenAddress(address)}: cannot be bound: ${code}`), { code });
}

function call(on: object, name: string, ...args: readonly unknown[]): unknown {
  const method: unknown = Reflect.get(on, name);
  invariant(typeof method === 'function', `this release of Node has no ${name}`);
  return Reflect.apply(method, on, args);
}

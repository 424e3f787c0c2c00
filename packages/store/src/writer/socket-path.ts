/** The bound on the path of the writer's socket. */
import { StoreError } from '../errors.ts';
import { limits } from '../limits.ts';

/**
 * To be asked before a path is given to the system, which would take the beginning of a longer one for all of it: that may be
 * the socket of another store, or no folder of a store at all. @throws {StoreError} limitExceeded
 */
export function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= limits.socketPathBytes) return;
  const bound = `has ${bytes} octets, a socket's may have ${limits.socketPathBytes}`;
  throw new StoreError(
    'limitExceeded',
    `${path}: the path ${bound}: name the store by a shorter path, or a link to it`,
  );
}

/**
 * Where a daemon listens, as administrators write it (`127.0.0.1:143`, `[::1]:0`, `unix:PATH`), and the opening of a server
 * there.
 */
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, isIP, isIPv4, isIPv6, type Server } from 'node:net';
import { resolve } from 'node:path';
import { errnoOf } from './errors.ts';
import { limits } from './limits.ts';

/** A place to listen; port 0 lets the system choose. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/**
 * Reads `127.0.0.1:0`, `[::1]:0` or `unix:PATH`.
 * @throws Error saying what is wrong with it
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    const bytes = Buffer.byteLength(path);
    if (bytes === 0 || path.includes('\0')) throw new Error(`${text}: names no socket`);
    if (bytes > limits.socketPathBytes) {
      throw new Error(`${text}: the path has ${bytes} octets, a socket's may have ${limits.socketPathBytes}`);
    }
    return { kind: 'unix', path };
  }
  const [, host6, host4, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = host6 ?? host4 ?? '';
  const isHost = host6 === undefined ? isIPv4(host) : isIPv6(host);
  if (!isHost || Number(port) > 65_535) {
    throw new Error(`${text}: expected 127.0.0.1:PORT, [::1]:PORT or unix:PATH`);
  }
  return { kind: 'tcp', host, port: Number(port) };
}

/** As `parseListenAddress`; a relative Unix path is below a directory. @throws Error saying what is wrong with it */
export function addressBelow(directory: string, text: string): ListenAddress {
  const address = parseListenAddress(text);
  return address.kind === 'tcp' ? address : parseListenAddress(`unix:${resolve(directory, address.path)}`);
}

/** The address as it is written. */
export function formatListenAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/** The address a server is really bound to. */
export function boundAddress(server: Server): ListenAddress {
  const bound = server.address();
  if (bound === null) throw new Error('the server does not listen');
  if (typeof bound === 'string') return { kind: 'unix', path: bound };
  return { kind: 'tcp', host: bound.address, port: bound.port };
}

/** True when nobody from outside this machine can reach the address. */
export function isLocalAddress(address: ListenAddress): boolean {
  return address.kind === 'unix' || isLoopback(address.host);
}

/** True for an IP address of this machine's loopback. */
export function isLoopback(address: string): boolean {
  const plain = withoutMapping(address);
  return isIPv4(plain) ? plain.startsWith('127.') : plain === '::1';
}

/** What stands for a peer where peers are counted: an IPv4 address, the /64 of an IPv6 one, else the text itself. */
export function addressKey(address: string): string {
  const plain = withoutMapping(address);
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = (plain.split('%')[0] ?? '').split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    // A dotted quad at the end stands for two groups.
    const last = after.at(-1)?.includes('.') === true ? 1 : 0;
    while (groups.length + after.length + last < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** An IPv4 address in IPv6's clothes is the IPv4 address. */
function withoutMapping(address: string): string {
  const plain = address.toLowerCase().startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  return isIP(plain) === 4 ? plain : address;
}

export interface OpenOptions {
  /** Permissions of a Unix socket; 0o600 unless given. */
  readonly unixMode?: number;
  /** Connections the kernel keeps waiting. */
  readonly backlog?: number;
}

/**
 * Lets `server` listen, and gives the address it got. A Unix socket that nobody answers on is replaced; anything else at
 * that path is an error, as is a socket that answers.
 */
export async function openServer(
  server: Server,
  address: ListenAddress,
  options: OpenOptions = {},
): Promise<ListenAddress> {
  const backlog = options.backlog ?? limits.backlog;
  if (address.kind === 'tcp') {
    await listening(server, () => server.listen({ host: address.host, port: address.port, backlog }));
    return boundAddress(server);
  }
  const mode = options.unixMode ?? 0o600;
  const open = (): Promise<void> =>
    listening(server, () => allowingNobody(() => server.listen({ path: address.path, backlog })));
  try {
    await open();
  } catch (error) {
    if (errnoOf(error) !== 'EADDRINUSE') throw error;
    await removeStaleSocket(address.path);
    await open();
  }
  await chmod(address.path, mode);
  return boundAddress(server);
}

/** Runs `bind`, which makes a socket's file, so that nobody may connect until a `chmod` says who. */
export function allowingNobody<T>(bind: () => T): T {
  const before = process.umask(0o777);
  try {
    return bind();
  } finally {
    process.umask(before);
  }
}

function listening(server: Server, start: () => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      server.off('listening', listens);
      reject(error);
    };
    const listens = (): void => {
      server.off('error', failed);
      resolve();
    };
    server.once('error', failed);
    server.once('listening', listens);
    start();
  });
}

/**
 * Clears a path for a Unix socket: a socket that nobody answers on goes.
 * @throws Error when somebody answers, or when it is not a socket
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`unix:${path}: there is a file that is not a socket`);
  if (await answers(path)) throw new Error(`unix:${path}: another process listens there`);
  await unlink(path);
}

/** Whether somebody accepts connections; whoever may not be asked counts as somebody. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => resolve(errnoOf(error) !== 'ECONNREFUSED' && errnoOf(error) !== 'ENOENT'));
  });
}

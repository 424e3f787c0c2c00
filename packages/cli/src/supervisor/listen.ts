/** Where the service listens: the words of `--listen` and of the configuration, as addresses by listener. */
import { addressBelow, isLocalAddress, type ListenAddress } from '@mstore/net';
import { type Config, errorText } from '@mstore/store';
import { CommandError, exit } from '../errors.ts';

/** The listeners there are. */
const listeners = ['lmtp', 'pop3', 'imap', 'metrics'] as const;
type ListenerName = (typeof listeners)[number];

/** Named by the design of the whole, and not there yet. */
const later: readonly string[] = ['pop3s', 'imaps', 'proxy-imap', 'proxy-pop3', 'proxy-lmtp'];

/** Addresses by listener. */
export type Listening = ReadonlyMap<string, readonly ListenAddress[]>;

export interface ListenOptions {
  /** The store's directory; a relative Unix path is below it. */
  readonly directory: string;
  readonly config: Config;
  /** The configuration's file, for messages. */
  readonly file: string;
  /** `NAME=ADDRESS`; when there is one, only these are opened. */
  readonly given: readonly string[];
}

/** @throws CommandError usage, configuration */
export function listening({ directory, config, file, given }: ListenOptions): Listening {
  const open = new Map<string, ListenAddress[]>(listeners.map((name) => [name, []]));
  const add = (name: ListenerName, text: string, code: number, where: string): void => {
    const address = addressOf(directory, text, code, where);
    const hasPasswords = name === 'pop3' || name === 'imap';
    if (hasPasswords && !isLocalAddress(address) && !config[name].plaintextAnywhere) {
      const why = 'there is no TLS yet, so that passwords would cross the network in the clear';
      throw new CommandError(exit.configuration, `${where}: ${why} (${name}.plaintextAnywhere in ${file} allows it)`);
    }
    open.get(name)?.push(address);
  };
  for (const text of given) {
    const where = `--listen ${text}`;
    const { name, address } = splitListen(text, where);
    add(name, address, exit.usage, where);
  }
  if (given.length > 0) return open;
  for (const name of listeners) {
    for (const text of config.listen[name]) add(name, text, exit.configuration, `${file}: listen.${name}`);
  }
  return open;
}

function splitListen(text: string, where: string): { readonly name: ListenerName; readonly address: string } {
  const at = text.indexOf('=');
  if (at < 0) throw new CommandError(exit.usage, `${where}: expected NAME=ADDRESS`);
  const [given, address] = [text.slice(0, at), text.slice(at + 1)];
  const name = listeners.find((known) => known === given);
  if (name !== undefined) return { name, address };
  const what = later.includes(given) ? `${given} is not served yet` : `no listener is called ${JSON.stringify(given)}`;
  throw new CommandError(exit.usage, `${where}: ${what}; there are ${listeners.join(', ')}`);
}

function addressOf(directory: string, text: string, code: number, where: string): ListenAddress {
  try {
    return addressBelow(directory, text);
  } catch (error) {
    const message = errorText(error);
    throw new CommandError(code, where.endsWith(text) ? `--listen: ${message}` : `${where}: ${message}`);
  }
}

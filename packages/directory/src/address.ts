/**
 * Addresses as the directory compares them. Owns their form; knows nothing of who is behind them.
 *
 * Our form is `local@domain`: the domain in ASCII (IDNA, RFC 5890) and lower case without a dot at the end; the local part
 * unquoted, in NFC and lower case (RFC 8265 §3.3). So the local part may hold blanks or `@`; the domain begins after the last
 * `@`. `formatAddress` gives back the quotes that RFC 5321 wants.
 */
import { domainToASCII } from 'node:url';
import { limits } from './limits.ts';

export interface Address {
  /** In our form; empty for the catch-all `@domain`. */
  readonly local: string;
  readonly domain: string;
}

const asciiDomain = /^[\w.\-\u0080-\u{10ffff}]+$/u;
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const control = /[\u0000-\u001f\u007f-\u009f]/;
const unpairedSurrogate = /\p{Surrogate}/u;
const atom = /^[^\s"(),:;<>@[\\\]]+$/;

/** The domain in our form, or undefined when it is none; address literals are none of ours. */
export function normalDomain(given: string): string | undefined {
  if (given.length > limits.givenAddressLength) return undefined;
  const name = given.endsWith('.') ? given.slice(0, -1) : given;
  // What domainToASCII would take for more than a name (%41, ports, paths) is kept from it.
  if (!asciiDomain.test(name)) return undefined;
  const ascii = domainToASCII(name);
  const labels = ascii.split('.');
  // And it makes IP addresses of numbers.
  if (/^\d+$/.test(labels.at(-1) ?? '')) return undefined;
  if (ascii.length > limits.domainBytes || !labels.every((part) => label.test(part))) return undefined;
  return ascii;
}

/** The content of a quoted string (RFC 5321 §4.1.2), or undefined when its quotes do not match. */
function unquoted(text: string): string | undefined {
  const match = /^"((?:[^"\\]|\\.)*)"$/su.exec(text);
  return match?.[1]?.replace(/\\(.)/gsu, '$1');
}

/** The local part in our form, or undefined when it is none. */
function normalLocal(given: string): string | undefined {
  const text = given.startsWith('"') ? unquoted(given) : given;
  if (text === undefined || text === '' || control.test(text) || unpairedSurrogate.test(text)) return undefined;
  if (text === given && !atom.test(text)) return undefined;
  return text.normalize('NFC').toLowerCase().normalize('NFC');
}

/** Reads an address as people and protocols write it, without angle brackets; undefined when it is none. */
export function parseAddress(given: string): Address | undefined {
  if (given.length > limits.givenAddressLength) return undefined;
  const at = given.lastIndexOf('@');
  if (at < 1) return undefined;
  const local = normalLocal(given.slice(0, at));
  const domain = normalDomain(given.slice(at + 1));
  if (local === undefined || domain === undefined) return undefined;
  if (Buffer.byteLength(local) + 1 + domain.length > limits.addressBytes) return undefined;
  return { local, domain };
}

/** Reads the address of an alias: an address, or `@domain` for what no other address of the domain takes. */
export function parseAliasAddress(given: string): Address | undefined {
  if (!given.startsWith('@')) return parseAddress(given);
  const domain = normalDomain(given.slice(1));
  return domain === undefined ? undefined : { local: '', domain };
}

/** Reads a login: an address, or a bare name in the default domain. */
export function parseLogin(given: string, defaultDomain: string | undefined): Address | undefined {
  if (given.includes('@') || defaultDomain === undefined) return parseAddress(given);
  return parseAddress(`${given}@${defaultDomain}`);
}

/** The key under which an address is compared: `local@domain`. */
export function addressText({ local, domain }: Address): string {
  return `${local}@${domain}`;
}

/** The address in our form, `local@domain`; undefined when it is none. A name without domain is one in the default domain. */
export function normalAddress(given: string, defaultDomain?: string): string | undefined {
  const address = parseLogin(given, defaultDomain);
  return address === undefined ? undefined : addressText(address);
}

/** The address behind a key. */
export function addressOf(text: string): Address {
  const at = text.lastIndexOf('@');
  return { local: text.slice(0, at), domain: text.slice(at + 1) };
}

/** The address as RFC 5321 writes it, its local part quoted where it must be. */
export function formatAddress(text: string): string {
  const { local, domain } = addressOf(text);
  const isDotted = local === '' || (atom.test(local) && !/^\.|\.\.|\.$/.test(local));
  return isDotted ? text : `"${local.replace(/["\\]/g, '\\$&')}"@${domain}`;
}

/** The address without its detail (RFC 5233), and the detail; undefined when it has none. The first separator counts. */
export function splitDetail(
  address: Address,
  separator: string,
): { readonly base: Address; readonly detail: string } | undefined {
  const at = separator === '' ? -1 : address.local.indexOf(separator);
  if (at < 1) return undefined;
  const base = { local: address.local.slice(0, at), domain: address.domain };
  return { base, detail: address.local.slice(at + separator.length) };
}

/** The detail that stands in an address, whoever is behind it, as a `Target` has it; undefined when there is none. */
export function detailOf(given: string, separator: string): string | undefined {
  const address = parseAddress(given);
  const split = address === undefined ? undefined : splitDetail(address, separator.normalize('NFC').toLowerCase());
  return split === undefined || split.detail === '' ? undefined : split.detail;
}

/**
 * LMTP's commands as they are written: RFC 2033 §4, with the grammar of RFC 5321 §4.1 and of the extensions we announce (RFC
 * 1870, RFC 6152, RFC 6531, RFC 3030). Grammar only: what a command means where is the session's.
 *
 * More is understood than the grammar allows where senders are known to do so and nothing else can be meant: blanks after the
 * colon and at the end of the line, dots anywhere in a local part, underscores in domains, addresses without a domain. A source
 * route is dropped (RFC 5321 Appendix C).
 */
import { isUtf8 } from 'node:buffer';
import { withoutBlanksBehind } from './blanks.ts';
import { limits } from './limits.ts';
import type { WrongCommand } from './reply.ts';

/** What MAIL says about the message. */
export interface MailCommand {
  readonly verb: 'mail';
  /** As given, without brackets; empty for the null reverse-path. */
  readonly sender: string;
  /** SIZE=; undefined when not told. */
  readonly bytes: number | undefined;
  readonly utf8: boolean;
}

export type LmtpCommand =
  | { readonly verb: 'lhlo'; readonly name: string }
  | MailCommand
  | { readonly verb: 'rcpt'; readonly recipient: string }
  | { readonly verb: 'bdat'; readonly bytes: number; readonly last: boolean }
  | { readonly verb: 'data' | 'rset' | 'noop' | 'vrfy' | 'help' | 'quit' }
  | { readonly verb: 'wrong'; readonly why: WrongCommand }
  /** A BDAT whose octets nobody can count: what follows is neither command nor content. */
  | { readonly verb: 'lost' };

const wide = String.raw`\u00a0-\u2027\u202a-\ud7ff\ue000-\u{10ffff}`;
const atoms = String.raw`[\w!#$%&'*+\-/=?^{|}~.\u0060${wide}]+`;
const quoted = String.raw`"(?:[ !#-\[\]-~${wide}]|\\[ -~])*"`;
const domain = String.raw`[\w.\-${wide}]+|\[[\w.:\-]+\]`;
const route = String.raw`(?:@[\w.\-${wide}]+(?:,@[\w.\-${wide}]+)*:)?`;

/** A path in its brackets: what stands in them but for the route, and what follows. */
const pathPattern = new RegExp(`^<${route}((?:${atoms}|${quoted})(?:@(?:${domain}))?)>(.*)$`, 'su');
const nullPathPattern = /^<>(.*)$/s;

const commandPattern = /^([a-z]+)(?: +(.*))?$/is;
const mailPattern = /^FROM: *(.*)$/is;
const recipientPattern = /^TO: *(.*)$/is;
/** esmtp-param (RFC 5321 §4.1.2), the value with RFC 6531's octets. */
const parameterPattern = new RegExp(String.raw`^([a-z\d][a-z\d-]*)(?:=([!-<>-~${wide}]+))?$`, 'iu');

const asciiOnly = /^[\u0000-\u007f]*$/;
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const digits = /^\d{1,20}$/;

function wrong(why: WrongCommand): LmtpCommand {
  return { verb: 'wrong', why };
}

/** True for an address that LMTP can carry without SMTPUTF8. */
export function isAscii(text: string): boolean {
  return asciiOnly.test(text);
}

/** Reads a command line without its end. */
export function parseCommand(line: Buffer): LmtpCommand {
  const latin1 = line.toString('latin1');
  const isWide = !asciiOnly.test(latin1);
  const [, name = '', rest = ''] = commandPattern.exec(latin1) ?? [];
  const verb = name.toUpperCase();
  // Before anything else: whatever its octets are called, they follow.
  if (verb === 'BDAT' || (verb === '' && /^bdat/i.test(latin1))) return bdat(rest.trimEnd());
  if (isWide && !isUtf8(line)) return wrong('notUtf8');
  const argument = withoutBlanksBehind(isWide ? line.toString('utf8').slice(latin1.length - rest.length) : rest);
  const parse = parsers[verb];
  if (parse === undefined) return wrong('unknown');
  return control.test(argument) ? wrong('syntax') : parse(argument);
}

const parsers: Readonly<Record<string, (argument: string) => LmtpCommand>> = {
  LHLO: (argument) => {
    const isName = argument !== '' && !argument.includes(' ') && Buffer.byteLength(argument) <= limits.peerNameBytes;
    return isName ? { verb: 'lhlo', name: argument } : wrong('syntax');
  },
  HELO: () => wrong('notLmtp'),
  EHLO: () => wrong('notLmtp'),
  MAIL: mail,
  RCPT: rcpt,
  DATA: (argument) => bare('data', argument),
  RSET: (argument) => bare('rset', argument),
  QUIT: (argument) => bare('quit', argument),
  NOOP: () => ({ verb: 'noop' }),
  HELP: () => ({ verb: 'help' }),
  VRFY: (argument) => (argument === '' ? wrong('syntax') : { verb: 'vrfy' }),
  EXPN: () => wrong('noSuchCommand'),
  TURN: () => wrong('noSuchCommand'),
  STARTTLS: () => wrong('noSuchCommand'),
  AUTH: () => wrong('noSuchCommand'),
};

function bare(verb: 'data' | 'rset' | 'quit', argument: string): LmtpCommand {
  return argument === '' ? { verb } : wrong('noArgument');
}

function mail(argument: string): LmtpCommand {
  const [, path] = mailPattern.exec(argument) ?? [];
  if (path === undefined) return wrong('syntax');
  const [, none] = nullPathPattern.exec(path) ?? [];
  const [, address = '', after] = none === undefined ? (pathPattern.exec(path) ?? []) : ['', '', none];
  if (after === undefined) return wrong('badSender');
  if (Buffer.byteLength(address) > limits.pathBytes) return wrong('pathTooLong');
  const parameters = parametersOf(after);
  if (parameters === undefined) return wrong('parameterSyntax');
  return mailWith(address, parameters);
}

function mailWith(sender: string, parameters: readonly Parameter[]): LmtpCommand {
  let bytes: number | undefined;
  let utf8 = false;
  for (const { keyword, value } of parameters) {
    if (keyword === 'SIZE') {
      if (value === undefined || !digits.test(value)) return wrong('parameterValue');
      bytes = Number(value);
    } else if (keyword === 'BODY') {
      // BINARYMIME is not announced: the store keeps line ends as CRLF.
      if (!/^(?:7BIT|8BITMIME)$/i.test(value ?? '')) return wrong('parameterValue');
    } else if (keyword === 'SMTPUTF8') {
      if (value !== undefined) return wrong('parameterValue');
      utf8 = true;
    } else return wrong('parameterUnknown');
  }
  return utf8 || isAscii(sender) ? { verb: 'mail', sender, bytes, utf8 } : wrong('senderNotAscii');
}

function rcpt(argument: string): LmtpCommand {
  const [, path] = recipientPattern.exec(argument) ?? [];
  if (path === undefined) return wrong('syntax');
  const [, recipient, after = ''] = pathPattern.exec(path) ?? [];
  if (recipient === undefined) return wrong('badRecipient');
  if (Buffer.byteLength(recipient) > limits.pathBytes) return wrong('pathTooLong');
  const parameters = parametersOf(after);
  if (parameters === undefined) return wrong('parameterSyntax');
  // ORCPT and NOTIFY belong to an extension that we do not announce.
  return parameters.length === 0 ? { verb: 'rcpt', recipient } : wrong('parameterUnknown');
}

interface Parameter {
  /** In upper case. */
  readonly keyword: string;
  readonly value: string | undefined;
}

/** The parameters behind a path; undefined when they are not written as parameters are, or one stands there twice. */
function parametersOf(text: string): Parameter[] | undefined {
  if (text === '') return [];
  if (!text.startsWith(' ')) return undefined;
  const parameters: Parameter[] = [];
  const seen = new Set<string>();
  for (const word of text.split(' ')) {
    if (word === '') continue;
    const [, keyword, value] = parameterPattern.exec(word) ?? [];
    if (keyword === undefined) return undefined;
    const upper = keyword.toUpperCase();
    if (seen.has(upper)) return undefined;
    seen.add(upper);
    parameters.push({ keyword: upper, value });
  }
  return parameters;
}

/** RFC 3030 §2. */
function bdat(argument: string): LmtpCommand {
  const [, size, last] = /^(\d{1,15})(?: +(LAST))?$/i.exec(argument) ?? [];
  return size === undefined ? { verb: 'lost' } : { verb: 'bdat', bytes: Number(size), last: last !== undefined };
}

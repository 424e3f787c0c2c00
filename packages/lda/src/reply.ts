/**
 * What LMTP clients are told: every reply line, with its enhanced status code (RFC 2034, RFC 3463). Nothing in them comes from
 * a peer, a path or an id of ours; the log says the rest.
 */
import type { DeliverySettings, RefusalKind } from './delivery.ts';

/** What is wrong with a command. */
export type WrongCommand =
  | 'unknown'
  | 'notLmtp'
  | 'noSuchCommand'
  | 'tooLong'
  | 'bareLineFeed'
  | 'notUtf8'
  | 'syntax'
  | 'noArgument'
  | 'parameterSyntax'
  | 'parameterValue'
  | 'parameterUnknown'
  | 'badSender'
  | 'badRecipient'
  | 'pathTooLong'
  | 'senderNotAscii'
  | 'recipientNotAscii'
  | 'sequence'
  | 'noGreeting'
  | 'noRecipients'
  | 'chunksFollow';

export const wrongReplies: Readonly<Record<WrongCommand, string>> = {
  unknown: '500 5.5.1 Command not recognized\r\n',
  notLmtp: '500 5.5.1 This is LMTP: say LHLO\r\n',
  noSuchCommand: '502 5.5.1 Command not implemented\r\n',
  tooLong: '500 5.5.2 Line too long\r\n',
  bareLineFeed: '500 5.5.2 Lines end with CR LF\r\n',
  notUtf8: '500 5.5.2 Not UTF-8\r\n',
  syntax: '501 5.5.2 Syntax error\r\n',
  noArgument: '501 5.5.4 No argument is allowed here\r\n',
  parameterSyntax: '501 5.5.4 Syntax error in parameters\r\n',
  parameterValue: '501 5.5.4 Parameter value not recognized\r\n',
  parameterUnknown: '555 5.5.4 Parameter not recognized\r\n',
  badSender: '501 5.1.7 Syntax error in the reverse-path\r\n',
  badRecipient: '501 5.1.3 Syntax error in the recipient\r\n',
  pathTooLong: '501 5.1.0 Path too long\r\n',
  senderNotAscii: '550 5.6.7 A reverse-path beyond ASCII needs SMTPUTF8\r\n',
  recipientNotAscii: '553 5.6.7 A recipient beyond ASCII needs SMTPUTF8\r\n',
  sequence: '503 5.5.1 Bad sequence of commands\r\n',
  noGreeting: '503 5.5.1 Say LHLO first\r\n',
  noRecipients: '503 5.5.1 No valid recipients\r\n',
  chunksFollow: '503 5.5.1 The message comes with BDAT\r\n',
};

const refusals: Readonly<Record<Exclude<RefusalKind, 'overQuota'>, string>> = {
  badAddress: '553 5.1.3 Bad address\r\n',
  unknownUser: '550 5.1.1 No such user here\r\n',
  foreign: '550 5.1.2 Not a domain of ours\r\n',
  loop: '554 5.4.6 The alias leads back to itself\r\n',
  tooManyTargets: '554 5.4.0 The alias leads to too many addresses\r\n',
  notHere: '451 4.4.4 The mailbox is on another server\r\n',
  tooLarge: '552 5.3.4 Message too large\r\n',
  tooManyRecipients: '452 4.5.3 Too many recipients\r\n',
  unavailable: '451 4.4.3 The user directory cannot be asked now\r\n',
  diskFull: '452 4.3.1 No room for the message now\r\n',
  storage: '451 4.3.0 The message cannot be stored now\r\n',
};

const overQuota: Readonly<Record<DeliverySettings['overQuota'], string>> = {
  temporary: '452 4.2.2 The mailbox is full\r\n',
  permanent: '552 5.2.2 The mailbox is full\r\n',
};

/** Why a recipient gets nothing. */
export function refusalReply(kind: RefusalKind, settings: DeliverySettings): string {
  return kind === 'overQuota' ? overQuota[settings.overQuota] : refusals[kind];
}

export const replies = {
  sender: '250 2.1.0 Sender ok\r\n',
  recipient: '250 2.1.5 Recipient ok\r\n',
  chunk: '250 2.0.0 Chunk taken\r\n',
  reset: '250 2.0.0 Reset\r\n',
  done: '250 2.0.0 Ok\r\n',
  verify: '252 2.0.0 Send some mail and see\r\n',
  help: '214 2.0.0 LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT: RFC 2033\r\n',
  content: '354 End with a dot on a line of its own\r\n',
  bye: '221 2.0.0 Bye\r\n',
  stopping: '421 4.3.2 Going down, try again\r\n',
  idle: '421 4.4.2 Too slow\r\n',
  errors: '421 4.7.0 Too many errors\r\n',
  busy: '421 4.3.2 Too many connections\r\n',
} as const;

/** A message is stored; the id is the one in its Received line. */
export function deliveredReply(id: string): string {
  return `250 2.1.5 Delivered (${id})\r\n`;
}

/** The name as a greeting shows it. */
export function greeting(name: string): string {
  return `220 ${name} LMTP ready\r\n`;
}

/** What LHLO is answered: our name and extensions. */
export function capabilities(name: string, messageBytes: number): string {
  const lines = [name, 'PIPELINING', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES', 'CHUNKING', `SIZE ${messageBytes}`];
  return lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line}\r\n`).join('');
}

/** The lines of the server that are no data (RFC 9051 §7.1): completions, greetings and goodbyes, with their line ends. */
import type { Refusal } from './errors.ts';

/** How a command ended well: its response code, empty for none, and its text. */
export interface Completion {
  readonly code: string;
  readonly text: string;
}

export function completed(text: string, code: string = ''): Completion {
  return { code, text };
}

function line(tag: string, status: string, code: string, text: string): string {
  return code === '' ? `${tag} ${status} ${text}\r\n` : `${tag} ${status} [${code}] ${text}\r\n`;
}

export function taggedOk(tag: string, { code, text }: Completion): string {
  return line(tag, 'OK', code, text);
}

/** A negative answer; BYE, which is never a command's own, goes out untagged. */
export function refused(tag: string, { status, code, text }: Refusal): string {
  return line(status === 'BYE' ? '*' : tag, status, code, text);
}

export function untaggedOk(text: string, code: string = ''): string {
  return line('*', 'OK', code, text);
}

/** Asks for the rest of a command: a literal, or a response of a SASL exchange. */
export function continuation(text: string): string {
  return `+ ${text}\r\n`;
}

/** The lines of the server (RFC 1939 §3, RFC 2449 §8), as text with its line end. */
import type { Refusal } from './errors.ts';

export function ok(text: string): string {
  return `+OK ${text}\r\n`;
}

export function err({ code, text }: Refusal): string {
  return code === '' ? `-ERR ${text}\r\n` : `-ERR [${code}] ${text}\r\n`;
}

/** A positive answer of several lines, none of which begins with a dot. */
export function lines(text: string, content: readonly string[]): string {
  return `${ok(text)}${content.map((line) => `${line}\r\n`).join('')}.\r\n`;
}

/** Asks for the next response of a SASL exchange (RFC 5034 §4). */
export function challenge(base64: string): string {
  return `+ ${base64}\r\n`;
}

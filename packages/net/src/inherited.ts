/**
 * How a supervisor and the daemons it starts speak: which listening sockets a child inherits stands in its arguments; questions
 * (`who`, `kick`, `metrics`) and answers cross the IPC channel, as do the ready notice (process.ts) and what the processes of
 * one daemon tell each other (siblings.ts).
 */

/** A listening socket that somebody else bound. */
export interface InheritedSocket {
  /** What it is for: `lmtp`, `pop3`. */
  readonly name: string;
  readonly fd: number;
  /** Where it is bound, as it is shown. */
  readonly address: string;
}

/** The first descriptor of inherited sockets: behind the standard ones and the IPC channel. */
export const firstInheritedFd = 4;

/** As an argument of the child. */
export function socketArgument({ name, fd, address }: InheritedSocket): string {
  return `--socket=${name}:${fd}:${address}`;
}

/** @throws Error when the text is no such argument's value */
export function parseSocketArgument(text: string): InheritedSocket {
  const [, name = '', fd = '', address = ''] = /^([a-z0-9-]+):(\d{1,5}):(.+)$/s.exec(text) ?? [];
  if (name === '') throw new Error(`${text}: expected NAME:FD:ADDRESS`);
  return { name, fd: Number(fd), address };
}

/** A question of either end. */
export interface Question {
  readonly type: 'ask';
  readonly id: number;
  readonly about: string;
  readonly args: readonly string[];
}

/** The answer to it; `problem` stands for a failure. */
export interface Answer {
  readonly type: 'answer';
  readonly id: number;
  readonly value?: unknown;
  readonly problem?: string;
}

/** What a child has for the other processes of its program. */
export interface Telling {
  readonly type: 'tell';
  readonly about: string;
  readonly args: readonly string[];
}

/** The same as the supervisor passes it on. */
export interface Told {
  readonly type: 'told';
  /** The pid of whom it comes from, or is about. */
  readonly from: number;
  readonly about: string;
  readonly args: readonly string[];
}

export function isQuestion(message: unknown): message is Question {
  return isOfType(message, 'ask');
}

export function isAnswer(message: unknown): message is Answer {
  return isOfType(message, 'answer');
}

export function isTelling(message: unknown): message is Telling {
  return isOfType(message, 'tell');
}

export function isTold(message: unknown): message is Told {
  return isOfType(message, 'told');
}

function isOfType(message: unknown, type: string): boolean {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === type;
}

/**
 * What mstore-lda tells a mail server, and the line that goes with it. 67, 65 and 77 return the message to its sender, with
 * the line; any other code than 0 would too, so that everything which may be different tomorrow is 75: try again.
 */
import type { RefusalKind } from './delivery.ts';

/** The codes of sysexits(3) that leave mstore-lda: done, data error, no such user, no permission, temporary failure. */
export type ExitCode = 0 | 65 | 67 | 75 | 77;

export const delivered = 0;
export const tryAgain = 75;

/** How an mstore-lda ends. */
export interface LdaAnswer {
  readonly code: ExitCode;
  /** One line for standard error; it may reach the sender where the code is not 75. */
  readonly text: string;
}

interface Meaning {
  readonly code: ExitCode;
  readonly text: string;
}

/**
 * An address that is not ours and an alias at fault are mistakes of ours, or of the mail server's set-up: they keep the
 * message. So does a full disk. That of a full account depends on the configuration (`answerTo`).
 */
const meanings: Readonly<Record<RefusalKind, Meaning>> = {
  badAddress: { code: 67, text: 'no such user' },
  unknownUser: { code: 67, text: 'no such user' },
  foreign: { code: tryAgain, text: 'the domain is not ours' },
  loop: { code: tryAgain, text: 'the alias leads in a circle' },
  tooManyTargets: { code: tryAgain, text: 'the alias leads to too many users' },
  notHere: { code: tryAgain, text: 'the mail of this user lies on another server' },
  overQuota: { code: tryAgain, text: 'the mailbox is full' },
  tooLarge: { code: 65, text: 'the message is too large' },
  tooManyRecipients: { code: tryAgain, text: 'too many recipients at once' },
  unavailable: { code: tryAgain, text: 'it cannot be told now who this is' },
  diskFull: { code: tryAgain, text: 'no space left on the server' },
  storage: { code: tryAgain, text: 'the store cannot take the message now' },
};

/** Why somebody does not get the message. */
export interface Refused {
  /** Whoever is meant; empty for everybody. */
  readonly address: string;
  readonly kind: RefusalKind;
}

/** The answer to one refusal. */
export function answerTo({ address, kind }: Refused, overQuota: 'temporary' | 'permanent'): LdaAnswer {
  const { code, text } = meanings[kind];
  const said = address === '' ? text : `${address}: ${text}`;
  return { code: kind === 'overQuota' && overQuota === 'permanent' ? 77 : code, text: said };
}

/** Of several answers the one that decides: a temporary one before a permanent one, the earlier before the later. */
export function weightiest(answers: readonly LdaAnswer[]): LdaAnswer | undefined {
  return answers.find(({ code }) => code === tryAgain) ?? answers[0];
}

/** A failure that keeps the message with the mail server. */
export function keep(text: string): LdaAnswer {
  return { code: tryAgain, text };
}

/**
 * Delivery, apart from the protocol that brought the message: who is behind a recipient, whether the message may go there,
 * the header lines it gets, and what became of it. LMTP, the pipe and `mstore deliver` differ only in how they say so.
 * These are its words; `delivery-core.ts` does it.
 */
import type { Target, User } from '@mstore/directory';
import type { Placed, TakenMessage } from '@mstore/store';

/**
 * Why a recipient does not get a message. `unknownUser`: nobody, and the domain is ours; `foreign`: not our domain; `loop`,
 * `tooManyTargets`: the alias is at fault; `notHere`: the user's mail lies on another store server; `unavailable`: it cannot
 * be told now; `diskFull`, `storage`: the store cannot take it now.
 */
export type RefusalKind =
  | 'badAddress'
  | 'unknownUser'
  | 'foreign'
  | 'loop'
  | 'tooManyTargets'
  | 'notHere'
  | 'overQuota'
  | 'tooLarge'
  | 'tooManyRecipients'
  | 'unavailable'
  | 'diskFull'
  | 'storage';

/** `text` is for the log: it may hold addresses and ids. */
export interface Refusal {
  readonly ok: false;
  readonly kind: RefusalKind;
  readonly text: string;
}

/** A recipient that mail can be delivered to now. */
export interface Recipient {
  readonly ok: true;
  /** As the mail server gave it: what Delivered-To shows. */
  readonly given: string;
  /** The users behind it, each with the detail; at least one. */
  readonly targets: readonly Target[];
  /** What the directory says of each target, in the same order. */
  readonly users: readonly User[];
}

/** What came with a message. */
export interface DeliveryTrace {
  /** The session's id in the log and in Received. */
  readonly id: string;
  /** Empty for the null reverse-path. */
  readonly sender: string;
  /** `LMTP`, or `local` for the pipe. */
  readonly protocol: string;
  /** What the peer called itself, and its address; empty when there is none. */
  readonly peerName: string;
  readonly peerAddress: string;
}

/** A message for some recipients. */
export interface DeliveryRequest {
  readonly message: TakenMessage;
  readonly recipients: readonly Recipient[];
  readonly trace: DeliveryTrace;
  /** Nobody gets it unless all do. */
  readonly allOrNone?: boolean;
}

/** What became of one recipient: where the message lies, or the weightiest reason why it does not (temporary before permanent). */
export type DeliveryOutcome = { readonly ok: true; readonly placed: readonly Placed[] } | Refusal;

/** What an administrator decides about delivery (`mstore.toml`). */
export interface DeliverySettings {
  /** Our name in Received lines. */
  readonly name: string;
  /** Of the routes that the directory gives, the one that leads here. */
  readonly route: string;
  /** Whether mail for a full account is tried again or bounces. */
  readonly overQuota: 'temporary' | 'permanent';
  /** Where mail for a detail goes that no mailbox is named after. */
  readonly detail: 'inbox' | 'create';
}

/** The mailbox that a session has selected, as far as it was told. */
import type { MailboxId, UidSet } from '@mstore/store';
import type { View } from './view.ts';

export interface Selected {
  readonly mailbox: MailboxId;
  /** EXAMINE: nothing is changed. */
  readonly isReadOnly: boolean;
  /** What the session was told. */
  view: View;
  /** The mailbox's highest MODSEQ at that time. */
  modSeq: number;
  /** The lower bound of its entries' MODSEQs at that time. */
  modSeqFloor: number;
  /** UIDNEXT at that time. */
  uidNext: number;
  /** How many of the mailbox's keywords the client was told, by their numbers. */
  keywordsTold: number;
  /** UIDs that are recent to this session, also of messages that went since. */
  recent: UidSet;
  /** What the last SEARCH with SAVE found (RFC 5182). */
  saved: UidSet;
  /** Sequences above `modSeq` at which this session itself changed flags, and was told what became of them. */
  readonly ownSequences: Set<number>;
  /** Called when the mailbox changed; IDLE sets it. */
  wake: () => void;
  /** Ends the watch for changes. */
  readonly leave: () => void;
}

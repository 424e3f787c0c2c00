/** When a session is told MODSEQs: from the first command on that speaks of them (RFC 7162 §3.1). */
import { untaggedOk } from './reply.ts';
import type { Session } from './session.ts';

/**
 * CONDSTORE is in use from now on. Where a mailbox is selected, the client is told up to which MODSEQ it was told everything
 * (RFC 7162 §3.1.2.1).
 */
export function useModSeqs(session: Session): void {
  if (session.wantsModSeqs) return;
  session.wantsModSeqs = true;
  const { selected } = session;
  if (selected !== undefined) session.say(highestModSeqLine(selected.modSeq));
}

/** Up to this MODSEQ the client was told everything; it may have heard of higher ones. */
export function highestModSeqLine(modSeq: number): string {
  return untaggedOk('all is told up to here', highestModSeqCode(modSeq));
}

export function highestModSeqCode(modSeq: number): string {
  return `HIGHESTMODSEQ ${modSeq}`;
}

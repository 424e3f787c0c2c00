/**
 * The one `apply`: what a record of the log does to the catalog. Live path, recovery, rebuild and a standby run the same
 * code, so a catalog is always the same function of the log.
 *
 * It decides nothing, reads no clock and does no I/O beyond the view. In a log with gaps it must not fail: a change to what is
 * absent is ignored.
 */
import type { View } from '../catalog/write-set.ts';
import { brandNumber, type Location, type Lsn } from '../types.ts';
import { applyEntry } from './apply-entry.ts';
import { applyEvent } from './apply-event.ts';
import { applyRestate } from './apply-restate.ts';
import type { LogRecord } from './records.ts';
import { References, type SegmentOf } from './references.ts';

/** Applies the records of batches, in order, to a view. */
export class Applier {
  readonly refs: References;

  /** `rebuilding`: who applies counts what accounts have, and drops messages that nothing names, at the end. */
  constructor(view: View, segmentOf: SegmentOf, rebuilding = false) {
    this.refs = new References(view, segmentOf, rebuilding);
  }

  apply(record: LogRecord, location: Location): void {
    const { refs } = this;
    switch (record.type) {
      case 'part':
        refs.count(location, 'dead');
        refs.addPart(record.sha, record.size, [
          { ...location, contentBytes: record.size, storedBytes: record.storedBytes },
        ]);
        break;
      case 'chunk':
        refs.count(location, 'dead');
        break;
      case 'closing':
        refs.count(location, 'dead');
        refs.addPart(record.sha, record.size, [...record.chunks, { ...location, contentBytes: 0, storedBytes: 0 }]);
        break;
      case 'message':
        refs.addMessage(record, location);
        break;
      case 'entry':
        refs.see(location, record.sequence);
        applyEntry(refs, record, location);
        break;
      case 'event':
        refs.see(location, record.sequence);
        applyEvent(refs, record, location);
        break;
      case 'restate':
        applyRestate(refs, record.body, location);
        break;
    }
  }

  /** Notes that a batch is applied up to the LSN behind its COMMIT. */
  close(commit: Location, batch: number, epoch: number): void {
    const { refs } = this;
    const { state } = refs;
    refs.count(commit, 'other');
    state.appliedLsn = brandNumber<Lsn>(commit.lsn + commit.bytes);
    state.batch = batch;
    state.epoch = Math.max(state.epoch, epoch);
  }
}

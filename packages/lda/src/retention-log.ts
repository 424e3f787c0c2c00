/** What the log and the metrics say of the runs of retention. */
import type { Log, MetricCounter, Metrics } from '@mstore/net';
import { isStoreError, type RetentionObserver, type RetentionReport } from '@mstore/store';

export class RetentionLog implements RetentionObserver {
  readonly #log: Log;
  readonly #purged: MetricCounter;
  readonly #reclaimed: MetricCounter;
  readonly #aged: MetricCounter;
  readonly #failures: MetricCounter;

  constructor(log: Log, metrics: Metrics) {
    this.#log = log;
    this.#purged = metrics.counter('mstore_purged_total', 'Expunged messages that are gone for good.');
    const reclaimed = 'Octets of the heap that purges left without a use.';
    this.#reclaimed = metrics.counter('mstore_reclaimable_bytes_total', reclaimed);
    this.#aged = metrics.counter('mstore_aged_total', 'Messages expunged by their age.');
    this.#failures = metrics.counter('mstore_retention_failures_total', 'Runs of retention that ended early.');
  }

  done({ purged, mailboxes, accounts, aged, forgotten, ms }: RetentionReport): void {
    const { entries, bytes, reclaimed } = purged;
    this.#purged.add(entries);
    this.#reclaimed.add(Math.max(0, reclaimed));
    this.#aged.add(aged);
    if (entries + mailboxes + accounts + aged + forgotten === 0) return;
    const what = { messages: entries, bytes, reclaimed, mailboxes, accounts, aged, forgotten, ms: Math.round(ms) };
    this.#log.info('retention ended', what);
  }

  failed(error: unknown): void {
    // The end of the process, or of the store, which is told by others.
    if (isStoreError(error, 'closed')) return;
    this.#failures.add();
    this.#log.warn('retention ended early: it goes on at the next run', {}, error);
  }
}

/** What the log and the metrics say of the scrub in the background. */
import type { Log, MetricCounter, Metrics } from '@mstore/net';
import type { Finding, ScrubObserver, ScrubPass } from '@mstore/store';

export class ScrubRecord implements ScrubObserver {
  readonly #log: Log;
  readonly #octets: MetricCounter;
  readonly #findings: MetricCounter;
  #lastEnded = 0;
  #lastFindings = 0;

  constructor(log: Log, metrics: Metrics) {
    this.#log = log;
    this.#octets = metrics.counter('mstore_scrub_read_bytes_total', 'Octets of the heap read by scrubs.');
    this.#findings = metrics.counter('mstore_scrub_findings_total', 'Bad places that scrubs found.', ['state']);
    const ended = (): number => this.#lastEnded;
    metrics.gauge(
      'mstore_scrub_last_end_seconds',
      'When the last scrub ended, in seconds since 1970; 0: none yet.',
      ended,
    );
    const findings = (): number => this.#lastFindings;
    metrics.gauge('mstore_scrub_last_findings', 'Bad places that the last whole scrub found.', findings);
  }

  found({ state, text, concerned = [] }: Finding): void {
    this.#findings.add(1, { state });
    const whose = concerned.map(({ accountName, mailboxName, uids }) => `${accountName}, ${mailboxName}: UID ${uids}`);
    this.#log.error('damage found: `mstore fsck --repair --dry-run` says what can be done', {
      state,
      what: text,
      concerns: whose,
    });
  }

  read(bytes: number): void {
    this.#octets.add(bytes);
  }

  passed({ begun, ended, readBytes, findings }: ScrubPass): void {
    this.#lastEnded = ended;
    this.#lastFindings = findings.length;
    this.#log.info('scrubbed', { octets: readBytes, findings: findings.length, seconds: ended - begun });
  }

  failed(error: unknown): void {
    this.#log.warn('the scrub could not go on; it is tried again in a minute', {}, error);
  }
}

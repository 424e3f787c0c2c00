/** What the log and the metrics say of each delivery and each refusal, whatever protocol brought it. */
import type { Log, MetricCounter, MetricHistogram, Metrics } from '@mstore/net';
import type { Placed } from '@mstore/store';
import type { DeliveryTrace, Refusal } from './delivery.ts';

/** Who sent what: the part of a trace that the log shows. */
export type LoggedSender = Pick<DeliveryTrace, 'id' | 'sender'>;

/** Upper bounds in seconds: a flush of a fast disk to a mail server's patience. */
const secondsBuckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];

export class DeliveryLog {
  readonly #log: Log;
  readonly #deliveries: MetricCounter;
  readonly #octets: MetricCounter;
  readonly #refusals: MetricCounter;
  readonly #seconds: MetricHistogram;

  constructor(log: Log, metrics: Metrics) {
    this.#log = log;
    this.#deliveries = metrics.counter('mstore_deliveries_total', 'Copies of messages placed in mailboxes.');
    this.#octets = metrics.counter('mstore_delivered_bytes_total', 'Octets of these, with trace lines.');
    this.#refusals = metrics.counter('mstore_refusals_total', 'Recipients refused, by reason.', ['reason']);
    const help = 'Time from the last octet of a message to its being durable.';
    this.#seconds = metrics.histogram('mstore_delivery_seconds', help, secondsBuckets);
  }

  /** A copy for a recipient lies in a mailbox. */
  placed({ id, sender }: LoggedSender, recipient: string, place: Placed, ms: number): void {
    this.#deliveries.add();
    this.#octets.add(place.size);
    const { size, mailboxName: mailbox, account, uid } = place;
    this.#log.info('delivered', { session: id, sender, recipient, account, size, mailbox, uid, ms });
  }

  /** A recipient gets nothing. */
  refused({ id, sender }: LoggedSender, recipient: string, { kind, text }: Refusal): void {
    this.#refusals.add(1, { reason: kind });
    this.#log.info('refused', { session: id, sender, recipient, reason: kind, why: text });
  }

  /** A message was delivered or refused, after `ms`. */
  finished(ms: number): void {
    this.#seconds.observe(ms / 1_000);
  }
}

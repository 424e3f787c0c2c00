/**
 * One run of mstore-lda, wherever its octets come from: command line and message in, exit code and line out. All or none of
 * the recipients get the message, as there is one answer for them together.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { detailOf, formatAddress } from '@mstore/directory';
import { Gathered } from '@mstore/net';
import type { MailWriter, Placed, TakenMessage } from '@mstore/store';
import type { Recipient, Refusal } from './delivery.ts';
import type { Delivery } from './delivery-core.ts';
import { refusal, refusalOf } from './errors.ts';
import { answerTo, delivered, keep, type LdaAnswer, weightiest } from './exit-codes.ts';
import { dropFromLine } from './from-line.ts';
import { type LdaOptions, parseLdaOptions, UsageError } from './lda-options.ts';
import { limits } from './limits.ts';
import { reversePathOf } from './sender.ts';

/** What an administrator decides about addresses on a command line (`mstore.toml`). */
export interface PipeSettings {
  /** Of recipients without a domain; empty: there are none. */
  readonly defaultDomain: string;
  /** What parts a name from its detail; empty for none. */
  readonly detailSeparator: string;
}

export interface PipePorts {
  readonly delivery: Delivery;
  readonly writer: Pick<MailWriter, 'take'>;
  readonly settings: PipeSettings;
  /** Somebody is about to deliver; returns what says that it was handed over, or will not be. */
  readonly expectDelivery?: () => () => void;
}

/** What became of a run, for its caller and for the log. */
export interface PipeReport {
  readonly answer: LdaAnswer;
  readonly sender: string;
  /** Where the message lies. */
  readonly placed: readonly { readonly recipient: string; readonly place: Placed }[];
  /** Why it does not; an empty recipient stands for all. */
  readonly refused: readonly { readonly recipient: string; readonly refusal: Refusal }[];
}

/**
 * Runs one mstore-lda; `id` is the session's. The message is not asked for before all recipients are known to be good.
 * @throws what reading `octets` throws
 */
export async function deliverPiped(
  ports: PipePorts,
  id: string,
  args: readonly string[],
  octets: AsyncIterable<Buffer>,
): Promise<PipeReport> {
  const options = optionsOf(args);
  if (typeof options === 'string') return misused(options);
  const sender = reversePathOf(options.sender);
  if (sender === undefined) return misused('the sender (-f) is no address');
  return new PipedRun(ports, id, options, sender).deliver(octets);
}

function optionsOf(args: readonly string[]): LdaOptions | string {
  try {
    return parseLdaOptions(args);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

function misused(text: string): PipeReport {
  return { answer: keep(text), sender: '', placed: [], refused: [] };
}

type Refused = PipeReport['refused'];

class PipedRun {
  readonly #ports: PipePorts;
  readonly #id: string;
  readonly #options: LdaOptions;
  readonly #sender: string;

  constructor(ports: PipePorts, id: string, options: LdaOptions, sender: string) {
    this.#ports = ports;
    this.#id = id;
    this.#options = options;
    this.#sender = sender;
  }

  async deliver(octets: AsyncIterable<Buffer>): Promise<PipeReport> {
    const accepted: Recipient[] = [];
    const refused: Refused[number][] = [];
    for (const [index, recipient] of this.#options.recipients.entries()) {
      if (index % limits.commandSlice === limits.commandSlice - 1) await nextTurn();
      const result = await this.#accept(recipient);
      if (result.ok) accepted.push(result);
      else refused.push({ recipient, refusal: result });
    }
    if (refused.length > 0) return this.#refuse(refused);
    const handedOver = this.#ports.expectDelivery?.() ?? (() => undefined);
    try {
      return await this.#takeAndPlace(octets, accepted, handedOver);
    } finally {
      handedOver();
    }
  }

  /** The recipient behind an address of the command line; what -a and -m say about it is put in. */
  async #accept(given: string): Promise<Recipient | Refusal> {
    const { mailbox, original } = this.#options;
    const { defaultDomain, detailSeparator } = this.#ports.settings;
    const address = addressOf(given, defaultDomain);
    if (address === undefined) {
      return refusal('unavailable', `${given} has no domain, and login.defaultDomain is not set`);
    }
    const accepted = await this.#ports.delivery.accept(address);
    if (!accepted.ok) return accepted;
    const whole = original === undefined ? undefined : (addressOf(original, defaultDomain) ?? original);
    const detail = mailbox ?? (whole === undefined ? undefined : detailOf(whole, detailSeparator));
    const targets = detail === undefined ? accepted.targets : accepted.targets.map((one) => ({ ...one, detail }));
    // Delivered-To shows what the mail server gave, quotes or not; a bare name gets its domain there.
    return { ...accepted, given: original ?? (given.includes('@') ? given : accepted.given), targets };
  }

  async #takeAndPlace(
    octets: AsyncIterable<Buffer>,
    recipients: readonly Recipient[],
    handedOver: () => void,
  ): Promise<PipeReport> {
    const message = await this.#take(octets, handedOver);
    if (!('size' in message)) return this.#refuse([{ recipient: '', refusal: message }]);
    const trace = { id: this.#id, sender: this.#sender, protocol: 'local', peerName: '', peerAddress: '' };
    const delivering = this.#ports.delivery.deliver({ message, recipients, trace, allOrNone: true });
    handedOver();
    const outcomes = await delivering;
    const named = outcomes.map((outcome, at) => ({ outcome, recipient: this.#options.recipients[at] ?? '' }));
    const refused = named.flatMap(({ outcome, recipient }) => (outcome.ok ? [] : [{ recipient, refusal: outcome }]));
    if (refused.length > 0) return this.#refuse(refused);
    const placed = named.flatMap(({ outcome, recipient }) =>
      outcome.ok ? outcome.placed.map((place) => ({ recipient, place })) : [],
    );
    return { answer: { code: delivered, text: '' }, sender: this.#sender, placed, refused };
  }

  async #take(octets: AsyncIterable<Buffer>, handedOver: () => void): Promise<TakenMessage | Refusal> {
    const message = await heldOrFlowing(dropFromLine(octets));
    // The others need not wait for a large one.
    if (!Buffer.isBuffer(message)) handedOver();
    try {
      return await this.#ports.writer.take(message, { finalLineEnd: true });
    } catch (error) {
      return refusalOf(error);
    }
  }

  #refuse(refused: Refused): PipeReport {
    const { overQuota } = this.#ports.delivery.settings;
    // All or none: everybody bears the refusal of the one who could not have it.
    const isShared = refused.length > 1 && refused.every((one) => one.refusal === refused[0]?.refusal);
    const answers = refused.map(({ recipient, refusal: { kind } }) =>
      answerTo({ address: isShared ? 'one of the recipients' : recipient, kind }, overQuota),
    );
    return { answer: weightiest(answers) ?? keep(''), sender: this.#sender, placed: [], refused };
  }
}

/** With a domain, and with the quotes that a mail server may have taken off; undefined without any domain. */
function addressOf(given: string, defaultDomain: string): string | undefined {
  if (given.startsWith('"') && given.includes('@')) return given;
  if (given.includes('@')) return formatAddress(given);
  return defaultDomain === '' ? undefined : formatAddress(`${given}@${defaultDomain}`);
}

/** A small message whole, which costs the writer least, else all of it as it comes. */
async function heldOrFlowing(octets: AsyncGenerator<Buffer>): Promise<Buffer | AsyncGenerator<Buffer>> {
  const held = new Gathered();
  while (held.bytes <= limits.heldBytes) {
    const { value, done } = await octets.next();
    if (done === true) return held.whole();
    held.push(value);
  }
  return continued(held.whole(), octets);
}

async function* continued(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

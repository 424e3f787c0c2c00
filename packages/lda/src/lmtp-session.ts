/**
 * One LMTP session (RFC 2033): commands in, replies out, and between them at most one message. After the content each accepted
 * recipient has a reply of its own, in the order of the RCPT commands.
 *
 * Decisions where the RFCs leave room:
 * - Content that is refused is read to its end first, so that it never turns into commands; a BDAT whose size is unreadable,
 *   or whose line is refused, ends the session for the same reason.
 * - A chunk that fails is answered once, further ones with 503, and the last one per recipient as DATA would be.
 * - When we stop, content under way is finished and answered; between commands there is 421.
 *
 * Invariant: nothing of a message is placed before its whole content has come.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Clock,
  type Connection,
  isPeerError,
  LineReader,
  type Log,
  type Session as TableEntry,
} from '@mstore/net';
import type { MailWriter, TakenMessage } from '@mstore/store';
import { ChunkedMessage } from './chunks.ts';
import type { DeliveryOutcome, DeliveryTrace, Recipient, Refusal } from './delivery.ts';
import type { Delivery } from './delivery-core.ts';
import type { DeliveryLog } from './delivery-log.ts';
import { refusal, refusalOf } from './errors.ts';
import { limits } from './limits.ts';
import { isAscii, type LmtpCommand, type MailCommand, parseCommand } from './lmtp-command.ts';
import {
  capabilities,
  deliveredReply,
  greeting,
  refusalReply,
  replies,
  type WrongCommand,
  wrongReplies,
} from './reply.ts';

/** What all sessions of a daemon share. */
export interface LmtpService {
  readonly delivery: Delivery;
  readonly writer: MailWriter;
  /** Says that a message is on its way in; what it returns, that it was handed over. */
  readonly expectDelivery: () => () => void;
  /** Octets of the largest message taken. */
  readonly messageBytes: number;
  readonly log: Log;
  readonly record: DeliveryLog;
  readonly clock: Clock;
}

/** A message from MAIL to its replies. */
interface Transaction {
  readonly sender: string;
  readonly bytes: number | undefined;
  readonly utf8: boolean;
  readonly recipients: Recipient[];
  /** Users behind the recipients. */
  targets: number;
  chunks: ChunkedMessage | undefined;
  /** Why no chunk is taken any more. */
  failed: Refusal | undefined;
}

/** Content as far as it was read: whole, or to be had from `take`. */
type Take = () => Promise<TakenMessage>;

export class LmtpSession {
  readonly #connection: Connection;
  readonly #entry: TableEntry;
  readonly #id: string;
  readonly #service: LmtpService;
  readonly #lines: LineReader;
  #peerName: string | undefined;
  #transaction: Transaction | undefined;
  #commands = 0;
  #errorsInRow = 0;
  #messages = 0;
  #why = '';

  /** @param entry the session in `who`, in log and trace lines */
  constructor(connection: Connection, entry: TableEntry, service: LmtpService) {
    this.#connection = connection;
    this.#entry = entry;
    this.#id = entry.id;
    this.#service = service;
    this.#lines = new LineReader(connection, { lineBytesMax: limits.commandBytes });
  }

  /** Serves until the peer is done, or must go. @throws {PeerError} when it went away in the middle of something */
  async run(): Promise<void> {
    try {
      await this.#write(greeting(this.#service.delivery.settings.name));
      await this.#serve();
    } catch (error) {
      if (!isPeerError(error)) throw error;
      this.#why = error.code;
      if (error.code === 'timeout') this.#connection.write(replies.idle);
      else if (error.code === 'lineEndless') this.#connection.write(wrongReplies.tooLong);
      else throw error;
    } finally {
      this.#reset();
      const { bytesIn } = this.#connection;
      const fields = { session: this.#id, why: this.#why, messages: this.#messages, bytesIn };
      this.#service.log.info('session ended', fields);
    }
  }

  async #serve(): Promise<void> {
    for (;;) {
      const command = await this.#next();
      if (command === undefined) {
        this.#leave();
        return;
      }
      if (!(await this.#do(command))) return;
      this.#commands += 1;
      if (this.#commands % limits.commandSlice === 0) await nextTurn();
    }
  }

  async #next(): Promise<LmtpCommand | undefined> {
    try {
      const line = await this.#lines.next();
      const command = line === undefined ? undefined : parseCommand(line);
      if (line !== undefined) this.#traceLine(line, command);
      return command;
    } catch (error) {
      if (!isPeerError(error, 'lineTooLong') && !isPeerError(error, 'bareLineFeed')) throw error;
      const { skipped } = this.#lines;
      // What it announced does not wait for an answer, and would be taken for commands.
      if (skipped !== undefined && (announcesChunk(skipped.start) || announcesChunk(skipped.end)))
        return { verb: 'lost' };
      return { verb: 'wrong', why: error.code === 'lineTooLong' ? 'tooLong' : 'bareLineFeed' };
    }
  }

  /** What is no command may be content that came where nobody waited for it. */
  #traceLine(line: Buffer, command: LmtpCommand | undefined): void {
    this.#entry.trace?.heard(command?.verb === 'wrong' ? `… (${line.length} octets, no command)` : line);
  }

  /** No further command comes: says why, where the peer may still listen. */
  #leave(): void {
    const why = this.#connection.farewell ?? 'peer';
    this.#why = why;
    if (why === 'drain') this.#connection.write(replies.stopping);
    else if (why !== 'peer') this.#connection.write(replies.idle);
  }

  /** Does a command; false when the session is over. */
  async #do(command: LmtpCommand): Promise<boolean> {
    switch (command.verb) {
      case 'mail':
        return this.#mail(command);
      case 'rcpt':
        return this.#rcpt(command.recipient);
      case 'data':
        return this.#data();
      case 'bdat':
        return this.#bdat(command.bytes, command.last);
      case 'wrong':
        return this.#wrong(command.why);
      case 'lhlo':
        this.#reset();
        this.#peerName = command.name;
        return this.#ok(capabilities(this.#service.delivery.settings.name, this.#service.messageBytes));
      case 'rset':
        this.#reset();
        return this.#ok(replies.reset);
      case 'noop':
        return this.#ok(replies.done);
      case 'vrfy':
        return this.#ok(replies.verify);
      case 'help':
        return this.#ok(replies.help);
      case 'quit':
        this.#why = 'quit';
        await this.#write(replies.bye);
        return false;
      case 'lost':
        this.#why = 'unreadable chunk size';
        await this.#write(wrongReplies.parameterSyntax);
        return false;
    }
  }

  async #mail({ sender, bytes, utf8 }: MailCommand): Promise<boolean> {
    if (this.#peerName === undefined) return this.#wrong('noGreeting');
    if (this.#transaction !== undefined) return this.#wrong('sequence');
    if (bytes !== undefined && bytes > this.#service.messageBytes) {
      return this.#refuse(sender, '', refusal('tooLarge', `a message of ${bytes} octets was announced`));
    }
    this.#transaction = { sender, bytes, utf8, recipients: [], targets: 0, chunks: undefined, failed: undefined };
    return this.#ok(replies.sender);
  }

  async #rcpt(given: string): Promise<boolean> {
    const transaction = this.#transaction;
    if (transaction === undefined || transaction.chunks !== undefined) return this.#wrong('sequence');
    const { sender, bytes, utf8, recipients } = transaction;
    if (!utf8 && !isAscii(given)) return this.#wrong('recipientNotAscii');
    if (recipients.length >= limits.recipients) return this.#refuse(sender, given, tooMany);
    const accepted = await this.#service.delivery.accept(given, bytes);
    if (!accepted.ok) return this.#refuse(sender, given, accepted);
    if (transaction.targets + accepted.targets.length > limits.targets) return this.#refuse(sender, given, tooMany);
    transaction.targets += accepted.targets.length;
    recipients.push(accepted);
    return this.#ok(replies.recipient);
  }

  async #data(): Promise<boolean> {
    const transaction = this.#transaction;
    if (transaction === undefined) return this.#wrong('sequence');
    if (transaction.chunks !== undefined) return this.#wrong('chunksFollow');
    if (transaction.recipients.length === 0) return this.#wrong('noRecipients');
    await this.#write(replies.content);
    const handedOver = this.#service.expectDelivery();
    try {
      const content = await this.#lines.dotMessage(limits.heldBytes);
      // The others need not wait for a large one.
      if (!Buffer.isBuffer(content)) handedOver();
      await this.#finish(transaction, () => this.#service.writer.take(content), handedOver);
    } finally {
      handedOver();
    }
    return true;
  }

  async #bdat(bytes: number, last: boolean): Promise<boolean> {
    const octets = this.#lines.bytes(bytes);
    const transaction = this.#transaction;
    if (transaction === undefined || transaction.recipients.length === 0) {
      await this.#lines.skip();
      if (transaction === undefined) return this.#wrong('sequence');
      // The message has begun: a recipient that came now would get the rest of it.
      transaction.chunks ??= new ChunkedMessage(this.#service.writer);
      return this.#wrong('noRecipients');
    }
    const hasFailed = transaction.failed !== undefined;
    transaction.chunks ??= new ChunkedMessage(this.#service.writer);
    const { chunks } = transaction;
    if (!hasFailed && chunks.bytes + bytes > this.#service.messageBytes) {
      transaction.failed = refusal('tooLarge', `chunks of more than ${this.#service.messageBytes} octets`);
      chunks.abandon();
    }
    const handedOver = last ? this.#service.expectDelivery() : () => undefined;
    try {
      if (transaction.failed === undefined) for await (const some of octets) await chunks.push(some);
      else await this.#lines.skip();
      if (last) await this.#finish(transaction, () => chunks.end(), handedOver);
    } finally {
      handedOver();
    }
    if (last) return true;
    if (hasFailed) return this.#wrong('sequence');
    const { failed } = transaction;
    return failed === undefined ? this.#ok(replies.chunk) : this.#refuse(transaction.sender, '', failed);
  }

  /** Takes and delivers what has come, and answers each recipient. */
  async #finish(transaction: Transaction, take: Take, handedOver: () => void): Promise<void> {
    const { clock, record } = this.#service;
    const trace = this.#trace(transaction);
    const start = clock.monotonic();
    const outcomes = await this.#outcomes(transaction, trace, take, handedOver);
    const ms = Math.round(clock.monotonic() - start);
    record.finished(ms);
    this.#transaction = undefined;
    this.#messages += 1;
    this.#errorsInRow = 0;
    for (const [index, { given }] of transaction.recipients.entries()) {
      if (index % limits.targetSlice === limits.targetSlice - 1) await nextTurn();
      const outcome = outcomes[index];
      if (outcome !== undefined) await this.#tell(trace, given, outcome, ms);
    }
  }

  /** One for each recipient. @throws {PeerError} when the content is not whole */
  async #outcomes(
    { recipients, failed }: Transaction,
    trace: DeliveryTrace,
    take: Take,
    handedOver: () => void,
  ): Promise<readonly DeliveryOutcome[]> {
    if (failed !== undefined) return recipients.map(() => failed);
    try {
      const message = await take();
      const delivered = this.#service.delivery.deliver({ message, recipients, trace });
      handedOver();
      return await delivered;
    } catch (error) {
      const refused = refusalOf(error);
      await this.#lines.skip();
      return recipients.map(() => refused);
    }
  }

  #trace({ sender, utf8 }: Transaction): DeliveryTrace {
    const protocol = utf8 ? 'UTF8LMTP' : 'LMTP';
    const peerAddress = this.#connection.remoteAddress.replace(/^::ffff:(?=\d+\.)/i, '');
    return { id: this.#id, sender, protocol, peerName: this.#peerName ?? '', peerAddress };
  }

  async #tell(trace: DeliveryTrace, given: string, outcome: DeliveryOutcome, ms: number): Promise<void> {
    if (!outcome.ok) {
      await this.#refuse(trace.sender, given, outcome);
      return;
    }
    for (const [index, place] of outcome.placed.entries()) {
      if (index % limits.targetSlice === limits.targetSlice - 1) await nextTurn();
      this.#service.record.placed(trace, given, place, ms);
    }
    await this.#write(deliveredReply(this.#id));
  }

  async #refuse(sender: string, recipient: string, refused: Refusal): Promise<true> {
    const { record, delivery } = this.#service;
    record.refused({ id: this.#id, sender }, recipient, refused);
    await this.#write(refusalReply(refused.kind, delivery.settings));
    return true;
  }

  async #ok(reply: string): Promise<true> {
    this.#errorsInRow = 0;
    await this.#write(reply);
    return true;
  }

  async #wrong(why: WrongCommand): Promise<boolean> {
    await this.#write(wrongReplies[why]);
    if (consequences.has(why)) return true;
    this.#errorsInRow += 1;
    if (this.#errorsInRow < limits.errorsInRow) return true;
    this.#why = 'too many errors';
    await this.#write(replies.errors);
    return false;
  }

  #reset(): void {
    this.#transaction?.chunks?.abandon();
    this.#transaction = undefined;
  }

  #write(reply: string): Promise<void> | undefined {
    return this.#connection.write(reply);
  }
}

/** Whether the octets of a refused line hold a BDAT, for a peer that ends its lines with LF alone: perhaps as one of several. */
function announcesChunk(octets: Buffer): boolean {
  return /(?:^|\n)bdat/i.test(octets.toString('latin1'));
}

/** What a peer that pipelines has sent before it hears of a refusal, a thousand recipients or chunks perhaps: no errors of its own. */
const consequences: ReadonlySet<WrongCommand> = new Set(['sequence', 'noRecipients', 'chunksFollow']);

const tooMany = refusal('tooManyRecipients', 'more recipients, or users behind them, than one transaction may have');

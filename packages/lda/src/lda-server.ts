/**
 * The daemon's side of mstore-lda, on `run/lda.sock` (docs/protocols/lda-socket.md): each connection is one run of it. Whoever
 * may connect may deliver to anybody: the socket's permissions decide that, as Node cannot ask who the caller is.
 *
 * Invariants: every trampoline that is heard to the end of its message gets one answer; code 0 is only said of what is on
 * disk. Connections beyond the deliveries under way wait, unread, in the order of their coming.
 */
import {
  type Clock,
  type Connection,
  ConnectionCounter,
  DeadlineWheel,
  isPeerError,
  type ListenAddress,
  Listener,
  type ListenerOptions,
  type Log,
  type SessionTable,
} from '@mstore/net';
import type { DeliveryLog } from './delivery-log.ts';
import { keep, type LdaAnswer } from './exit-codes.ts';
import { WireReader } from './lda-reader.ts';
import { encodeAnswer, WireError } from './lda-wire.ts';
import { limits } from './limits.ts';
import { deliverPiped, type PipePorts, type PipeReport } from './pipe-delivery.ts';
import { Slots } from './slots.ts';

export interface LdaServerOptions extends PipePorts {
  readonly sessions: SessionTable;
  readonly log: Log;
  readonly record: DeliveryLog;
  readonly clock: Clock;
  /** Trampolines connected at a time, above which they are told to try again; limits.ldaConnections when absent. */
  readonly connectionsMax?: number;
  /** Of those, deliveries under way; limits.ldaDeliveries when absent. */
  readonly deliveriesMax?: number;
  /** ms for a trampoline to begin, when it is its turn; limits.ldaIdleMs when absent. */
  readonly idleTimeoutMs?: number;
  /** ms of waiting in which a message must come forward; the network side's default when absent. */
  readonly stallTimeoutMs?: number;
}

export class LdaServer {
  readonly #options: LdaServerOptions;
  readonly #listening: ListenerOptions;
  readonly #slots: Slots;
  #listener: Listener | undefined;

  constructor(options: LdaServerOptions) {
    const { clock, log, connectionsMax = limits.ldaConnections, stallTimeoutMs } = options;
    this.#options = options;
    this.#slots = new Slots(options.deliveriesMax ?? limits.ldaDeliveries);
    this.#listening = {
      wheel: new DeadlineWheel(clock),
      counter: new ConnectionCounter(connectionsMax, connectionsMax),
      connectionsMax,
      idleTimeoutMs: options.idleTimeoutMs ?? limits.ldaIdleMs,
      ...(stallTimeoutMs !== undefined && { stallTimeoutMs }),
      serve: (connection) => this.#serve(connection),
      failed: (error) => {
        if (!isPeerError(error)) log.error('session failed', { protocol: 'lda' }, error);
      },
      refusal: (why) => encodeAnswer(keep(why === 'stopping' ? stopping : 'too many deliveries at once')).toString(),
      refused: (why) => log.warn('connection refused', { protocol: 'lda', why }),
      notAccepted: (error) => log.error('a connection could not be accepted', { protocol: 'lda' }, error),
    };
  }

  /** Opens the socket, which its owner and its group may use; gives its address. */
  async listen(address: ListenAddress): Promise<string> {
    this.#listener = await Listener.listen(address, { ...this.#listening, unixMode: 0o660 });
    return this.#listener.address;
  }

  /** Takes connections from a listening socket that was inherited. */
  async listenOn(fd: number, address: string): Promise<string> {
    this.#listener = await Listener.listenOn(fd, this.#listening, address);
    return this.#listener.address;
  }

  /** Takes no more, and tells those that have not begun to try again; resolves when all is closed. */
  async drain(deadlineMs?: number): Promise<void> {
    await this.#listener?.drain(deadlineMs);
  }

  async #serve(connection: Connection): Promise<void> {
    const { id } = this.#options.sessions.open(connection, 'lda');
    const answer = await this.#slots.run(() => this.#converse(connection, id));
    if (answer !== undefined) await connection.write(encodeAnswer(answer));
  }

  /** The answer; undefined where nobody asked. */
  async #converse(connection: Connection, id: string): Promise<LdaAnswer | undefined> {
    const { clock, log } = this.#options;
    const start = clock.monotonic();
    const reader = new WireReader(connection);
    try {
      const args = await reader.opening();
      if (args === undefined) return farewellTo(connection);
      const report = await deliverPiped(this.#options, id, args, reader.message());
      this.#record(id, report, Math.round(clock.monotonic() - start));
      return report.answer;
    } catch (error) {
      const answer = answerToPeer(error);
      if (answer === undefined) log.error('session failed', { session: id, protocol: 'lda' }, error);
      else log.info('not delivered', { session: id, protocol: 'lda', why: answer.text });
      return answer ?? keep('internal error');
    }
  }

  #record(id: string, { answer, sender, placed, refused }: PipeReport, ms: number): void {
    const { log, record } = this.#options;
    for (const { recipient, place } of placed) record.placed({ id, sender }, recipient, place, ms);
    for (const { recipient, refusal } of refused) record.refused({ id, sender }, recipient, refusal);
    if (placed.length > 0) record.finished(ms);
    else if (refused.length === 0) log.info('not delivered', { session: id, protocol: 'lda', why: answer.text });
  }
}

const stopping = 'the service is stopping';

function farewellTo({ farewell }: Connection): LdaAnswer | undefined {
  if (farewell === 'peer') return undefined;
  return keep(farewell === 'drain' ? stopping : 'nothing was said in time');
}

/** What a trampoline is told that is to blame, be it there or gone; undefined where the fault is ours. */
function answerToPeer(error: unknown): LdaAnswer | undefined {
  if (error instanceof WireError) return keep(`not understood, perhaps from another release: ${error.message}`);
  if (isPeerError(error, 'timeout')) return keep('the message came too slowly');
  if (isPeerError(error)) return keep('it went away before the end of its message');
  return undefined;
}

/** What the tests of this package share: connections over memory and over loopback, a clock in hand. */
import { connect, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Connection, type ConnectionTimeouts } from './connection.ts';
import { Crew, type Member } from './crew.ts';
import { DeadlineWheel } from './deadline.ts';
import { Siblings } from './siblings.ts';
import type { Clock } from './sys/clock.ts';

/** A clock that stands until it is moved; and the wheel that turns with it. */
export class HandClock implements Clock {
  #ms = 1_000_000;
  readonly wheel: DeadlineWheel = new DeadlineWheel(this, 250);

  now(): number {
    return this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  /** Moves on by `ms`, in steps small enough for what is rearmed on the way, and lets promises settle. */
  async advance(ms: number, stepMs: number = 250): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.#ms += Math.min(left, stepMs);
      this.wheel.turn();
    }
    await turn();
  }
}

/** A connection whose peer is the test: `say` octets, look at `heard`. */
export class MemoryPeer {
  readonly heard: Buffer[] = [];
  readonly socket: Duplex;
  readonly connection: Connection;
  /** False: what is written waits, as with a peer that does not read. */
  reads = true;
  #waiting: (() => void) | undefined;

  constructor(clock: HandClock, timeouts: ConnectionTimeouts = {}) {
    this.socket = new Duplex({
      allowHalfOpen: true,
      read: () => undefined,
      write: (octets: Buffer, _encoding, done) => {
        this.heard.push(octets);
        if (this.reads) done();
        else this.#waiting = done;
      },
    });
    this.connection = new Connection(this.socket, {
      wheel: clock.wheel,
      remoteAddress: '192.0.2.1',
      localAddress: '127.0.0.1:1',
      ...timeouts,
    });
  }

  say(octets: Buffer | string): void {
    this.socket.push(octets);
  }

  end(): void {
    this.socket.push(null);
  }

  /** Takes what waits. */
  readOn(): void {
    this.reads = true;
    this.#waiting?.();
  }

  get text(): string {
    return Buffer.concat(this.heard).toString('latin1');
  }
}

export interface Loopback extends AsyncDisposable {
  readonly client: Socket;
  readonly connection: Connection;
}

/** Two ends of one TCP connection. */
export async function loopback(wheel: DeadlineWheel, timeouts: ConnectionTimeouts = {}): Promise<Loopback> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = connect({ port: bound.port, host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => client.destroy());
  const socket = await accepted;
  server.close();
  const connection = new Connection(socket, {
    wheel,
    remoteAddress: socket.remoteAddress ?? '',
    localAddress: '127.0.0.1:1',
    ...timeouts,
  });
  return {
    client,
    connection,
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      connection.destroy();
      await connection.closed;
    },
  };
}

/** Waits until a condition holds; throws after ten seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`it did not come to pass: ${what}`);
    await sleep(5);
  }
}

/** Processes of one program under one supervisor, all in this process; messages are copied on their way, as between processes. */
export class Company {
  readonly #crew: Crew;
  readonly #members = new Map<number, Member>();

  constructor(crew: Crew = new Crew()) {
    this.#crew = crew;
  }

  /** Another process, with all that the supervisor does for it. */
  enter(pid: number): Siblings {
    const siblings = new Siblings((message, failed) => {
      if (!this.#members.has(pid)) failed(new Error('gone'));
      else if (message.type === 'tell') this.#crew.pass(member, structuredClone(message));
      else {
        this.#crew.answer(message.about, message.args).then(
          (value) => siblings.take({ type: 'answer', id: message.id, value }),
          (error: unknown) => siblings.take({ type: 'answer', id: message.id, problem: String(error) }),
        );
      }
    });
    const member: Member = { pid, tell: (message) => siblings.take(structuredClone(message)) };
    this.#members.set(pid, member);
    this.#crew.join(member);
    return siblings;
  }

  leave(pid: number): void {
    const member = this.#members.get(pid);
    this.#members.delete(pid);
    if (member !== undefined) this.#crew.leave(member);
  }
}

/**
 * IDLE (RFC 9051 §6.3.13, RFC 2177): changes are told as they come, until the client says DONE. What happened before it began is
 * told at once. Now and then a word of ours keeps the connection alive where somebody on the way forgets silent ones.
 */
import { RefusedError, refusals } from '../errors.ts';
import { limits } from '../limits.ts';
import { type Completion, completed, continuation, untaggedOk } from '../reply.ts';
import type { Session } from '../session.ts';
import { tellChanges } from '../updates.ts';

export async function idle(session: Session): Promise<Completion | undefined> {
  const { selected, services } = session;
  await session.say(continuation('idling'));
  const bell = new Bell();
  const deadline = services.wheel.add(() => {
    bell.isDue = true;
    bell.ring();
  });
  if (selected !== undefined) selected.wake = () => bell.ring();
  try {
    const line = session.lines.next();
    line.then(
      () => bell.end(),
      () => bell.end(),
    );
    while (!bell.hasEnded) {
      await tellChanges(session);
      if (session.isOver) break;
      if (bell.isDue) await session.say(untaggedOk('still here'));
      bell.isDue = false;
      deadline.set(services.wheel.now() + limits.keepAliveMs);
      await bell.rung();
    }
    // The mailbox is gone, and goodbye will be said: nobody waits for DONE.
    if (session.isOver) session.connection.finish();
    const ended = await line;
    // Whatever else stands there was sent in the belief that it is something else.
    if (ended !== undefined) session.entry.trace?.heard(isDone(ended) ? ended : '…');
    return answerTo(ended);
  } finally {
    deadline.remove();
    if (selected !== undefined) selected.wake = () => undefined;
  }
}

function answerTo(line: Buffer | undefined): Completion | undefined {
  if (line === undefined) return undefined;
  if (!isDone(line)) throw new RefusedError(refusals.doneExpected);
  return completed('no longer idle');
}

function isDone(line: Buffer): boolean {
  return line.toString('latin1').toUpperCase() === 'DONE';
}

/** Wakes who waits; a ring that nobody waited for is heard at the next wait. */
class Bell {
  isDue = false;
  hasEnded = false;
  #hasRung = false;
  #wake: () => void = () => undefined;

  ring(): void {
    this.#hasRung = true;
    this.#wake();
  }

  end(): void {
    this.hasEnded = true;
    this.ring();
  }

  async rung(): Promise<void> {
    if (!this.#hasRung) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#hasRung = false;
  }
}

/**
 * The signals of a service whose program is still being loaded, which takes some tenths of a second. Nothing is open yet: SIGTERM and
 * SIGINT end it at once, and in order; SIGHUP is kept for later. No imports but Node's, so that it is there before all else.
 */
import { isatty } from 'node:tty';

let isReloadAsked = false;

function end(): void {
  process.exit(0);
}

function reloadLater(): void {
  isReloadAsked = true;
}

/** Answers signals until `passSignals`. */
export function answerSignals(): void {
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  // The signal of a terminal that goes away is not for later.
  if (!isatty(2)) process.on('SIGHUP', reloadLater);
}

/** Leaves signals to those who listen by now. */
export function passSignals(): void {
  process.off('SIGTERM', end);
  process.off('SIGINT', end);
  process.off('SIGHUP', reloadLater);
  if (isReloadAsked) process.kill(process.pid, 'SIGHUP');
}

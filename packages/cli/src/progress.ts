/** A progress bar on standard error, for long work that somebody watches on a terminal; nothing where nobody does. */
import { Presets, SingleBar } from 'cli-progress';
import { humanBytes, humanCount } from './text.ts';

export interface Progress {
  /** So much is done; `total` may still change. */
  at(done: number, total: number): void;
  /** Takes the bar away. */
  stop(): void;
}

const nothing: Progress = { at: () => undefined, stop: () => undefined };

/** `unit`: `octets`, or what is counted. */
export function startProgress(what: string, unit: string, wanted: boolean): Progress {
  if (!wanted || process.stderr.isTTY !== true) return nothing;
  const show = unit === 'octets' ? humanBytes : humanCount;
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: `${what} {bar} {percentage}%  {value} of {total} ${unit}  {eta_formatted} left`,
      formatValue: (value, _options, type) => (type === 'value' || type === 'total' ? show(value) : String(value)),
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  let started = false;
  return {
    at(done, total) {
      if (!started) bar.start(total, done);
      started = true;
      bar.setTotal(Math.max(total, 1));
      bar.update(done);
    },
    stop() {
      if (started) bar.stop();
    },
  };
}

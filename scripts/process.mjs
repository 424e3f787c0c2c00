/** What the scripts share: where the repository is, and how to run a program in its name. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The repository's root folder, wherever the caller stands. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Runs a program in the repository's root with our standard streams; resolves to its exit code (128 + n after signal n).
 * Signals we get while it runs are passed on. A terminal sends Ctrl-C to both of us, so it is not passed on twice.
 */
export function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit' });
    const forwards = new Map();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      const forward = () => {
        if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
      };
      forwards.set(signal, forward);
      process.on(signal, forward);
    }
    const done = (settle) => {
      for (const [signal, forward] of forwards) process.off(signal, forward);
      settle();
    };
    child.on('error', (error) => done(() => reject(error)));
    child.on('exit', (code, signal) => done(() => resolve(code ?? 128 + constants.signals[signal])));
  });
}

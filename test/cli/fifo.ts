/** Named pipes: a file that a test writes while a command reads it. */
import { execFileSync } from 'node:child_process';

export function mkfifo(path: string): void {
  execFileSync('mkfifo', [path]);
}

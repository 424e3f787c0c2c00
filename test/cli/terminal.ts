/** The command line on a pseudo-terminal, by script(1) of util-linux. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../support/repository.ts';

const program = join(repositoryRoot, 'packages/cli/dist/main.js');

/** Runs a command and types a line at each prompt (`…: `); what it exits with, and all that the terminal showed. */
export async function typed(
  script: string,
  args: readonly string[],
  lines: readonly string[],
): Promise<{ code: number | null; shown: string }> {
  const command = [process.execPath, program, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn(script, ['-qefc', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let shown = '';
  let answered = 0;
  child.stdout.on('data', (octets: Buffer) => {
    shown += octets.toString();
    const prompts = shown.split(': ').length - 1;
    if (prompts > answered && answered < lines.length) child.stdin.write(lines[answered++] ?? '');
  });
  child.stdin.on('error', () => undefined);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, shown };
}

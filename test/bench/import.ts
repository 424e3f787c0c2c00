/**
 * Import of a large mbox in MB/s, rebuild and check of what it made in messages/s, by the compiled command.
 * By hand: `npm run build && node test/dist/bench/import.js [megabytes] [folder]`.
 *
 * The mbox is made on the spot: five in six messages are text of 1 to 10 KB, one in six carries base64 of 20 to 900 KB, every
 * second of those one of 60 that repeat. A second, of text alone, is for the rates that count messages.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../support/random.ts';
import { repositoryRoot } from '../support/repository.ts';

const megabytes = Number(process.argv[2] ?? 300);
const folder = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'mstore-bench-'));
const data = join(folder, 'store');
const random = seededRandom(1);
const words = 'the quick brown fox jumps over a lazy dog while seven wizards box with five dozen liquor jugs'.split(
  ' ',
);
const attachments = Array.from({ length: 60 }, () => randomBytes(20_000 + random.int(880_000)));

function lines(count: number): string {
  return Array.from({ length: count }, () =>
    Array.from({ length: 11 }, () => words[random.int(words.length)]).join(' '),
  ).join('\n');
}

function message(n: number, textOnly: boolean): string {
  const head = `From a@b Sun Nov 22 12:00:00 2026\nFrom: a${n}@x\nSubject: s${n}\nMessage-ID: <${n}@x>\n`;
  const text = lines(20 + random.int(140));
  if (textOnly || n % 6 !== 0) return `${head}\n${text}\n\n`;
  const repeated = attachments[random.int(attachments.length)] ?? Buffer.alloc(0);
  const content = n % 12 === 0 ? repeated : randomBytes(20_000 + random.int(880_000));
  const base64 = content.toString('base64').replace(/.{76}/g, '$&\n');
  const type = 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="bb"\n';
  const part = 'Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n';
  return `${head}${type}\n--bb\n\n${text}\n--bb\n${part}\n${base64}\n--bb--\n\n`;
}

function makeMbox(path: string, bytes: number, textOnly: boolean): number {
  const file = openSync(path, 'w');
  let count = 0;
  for (let size = 0; size < bytes; count++) size += writeSync(file, message(count, textOnly), null, 'latin1');
  closeSync(file);
  return count;
}

function mstore(...words: string[]): number {
  const start = performance.now();
  const command = join(repositoryRoot, 'packages/cli/dist/main.js');
  const done = spawnSync(process.execPath, [command, '--data', data, ...words], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`mstore ${words.join(' ')}: ${done.stderr}`);
  return (performance.now() - start) / 1000;
}

try {
  mstore('init');
  mstore('user', 'add', 'ann@example.org', '--no-password');
  mstore('user', 'add', 'bob@example.org', '--no-password');
  const mixed = join(folder, 'mixed.mbox');
  makeMbox(mixed, megabytes * 1e6, false);
  const seconds = mstore('import', 'mbox', mixed, '--user', 'ann@example.org');
  console.log(`import, mixed: ${(statSync(mixed).size / 1e6 / seconds).toFixed(0)} MB/s`);
  const text = join(folder, 'text.mbox');
  const count = makeMbox(text, megabytes * 1e6, true);
  const textSeconds = mstore('import', 'mbox', text, '--user', 'bob@example.org');
  console.log(
    `import, text: ${(count / textSeconds).toFixed(0)} messages/s, ${(megabytes / textSeconds).toFixed(0)} MB/s`,
  );
  rmSync(join(data, 'catalog'), { recursive: true });
  const rebuilt = mstore('rebuild');
  console.log(`rebuild: ${(count / rebuilt).toFixed(0)} messages/s and more (the mixed ones not counted)`);
  const checked = mstore('fsck');
  console.log(`fsck: ${(count / checked).toFixed(0)} messages/s, every octet read and hashed`);
} finally {
  rmSync(folder, { recursive: true });
}

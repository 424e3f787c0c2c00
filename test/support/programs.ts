/** Other people's programs, run to their end, and how what they hand out is compared with what went in. */
import assert from 'node:assert/strict';
import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { counts } from './long.ts';
import type { Finished } from './service.ts';

interface RunOptions extends Pick<SpawnOptions, 'uid' | 'gid' | 'env' | 'cwd'> {
  readonly input?: Buffer | string;
}

/** ms after which a program is taken to hang, and ended. */
const runMs = counts(120_000, 1_800_000);

/** nobody, on Debian: for a program that does not run as root. */
export const nobody = { uid: 65_534, gid: 65_534 };

/** Runs a program without a terminal; its output in Latin-1. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { input = '', ...rest } = options;
  const child = spawn(program, args, { ...rest, stdio: 'pipe', timeout: runMs, killSignal: 'SIGKILL' });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (octets: Buffer) => stdout.push(octets));
  child.stderr.on('data', (octets: Buffer) => stderr.push(octets));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  await once(child, 'close');
  const text = (pieces: readonly Buffer[]): string => Buffer.concat(pieces).toString('latin1');
  return { code: child.exitCode, stdout: text(stdout), stderr: text(stderr) };
}

/** Runs a program that must end well; what it printed. */
export async function runWell(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, options);
  assert.equal(code, 0, (stdout + stderr).slice(-4_000));
  return stdout;
}

/** A folder's files, in the order of the number that `numberOf` finds in their names. */
export async function filesIn(path: string, numberOf: RegExp): Promise<Buffer[]> {
  const number = (name: string): number => Number(numberOf.exec(name)?.[1]);
  const names = (await readdir(path)).sort((a, b) => number(a) - number(b));
  return Promise.all(names.map((name) => readFile(join(path, name))));
}

/** CRLF as LF. */
export function withLf(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
}

/** The same messages in the same order. */
export function assertAll(got: readonly Buffer[], wanted: readonly Buffer[]): void {
  assert.equal(got.length, wanted.length);
  const differences = wanted.flatMap((octets, at) => difference(at + 1, got[at] ?? Buffer.alloc(0), octets));
  assert.deepEqual(differences, []);
}

/** The same messages, in any order. */
export function assertSame(got: readonly Buffer[], wanted: readonly Buffer[]): void {
  assertAll(got.toSorted(Buffer.compare), wanted.toSorted(Buffer.compare));
}

function difference(number: number, got: Buffer, wanted: Buffer): string[] {
  if (got.equals(wanted)) return [];
  const length = Math.max(got.length, wanted.length);
  let at = 0;
  while (at < length && got[at] === wanted[at]) at++;
  const around = (text: Buffer): string => JSON.stringify(text.toString('latin1', Math.max(0, at - 60), at + 60));
  return [`${number}: ${got.length} octets, not ${wanted.length}; at ${at} ${around(got)}, not ${around(wanted)}`];
}

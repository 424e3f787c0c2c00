/**
 * `npm test [-- --long] [-- WORD…]`: sets the checkout up and runs the compiled tests; words select files by a part of
 * their path. Fails when a test fails, when no test ran, and, without `--long`, when the run hangs.
 */
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { join, relative } from 'node:path';
import { run as runTests } from 'node:test';
import { spec as Spec } from 'node:test/reporters';
import { outputFolders } from './orphans.mjs';
import { root } from './process.mjs';
import { setup } from './setup.mjs';

/** The short run is meant to take minutes; this only ends one that hangs. */
const hungAfterMs = 25 * 60_000;

/** Test processes wait for disks more than for processors, so one processor still gets two. */
const concurrency = Math.max(2, availableParallelism());

function usage(problem) {
  console.error(`${problem}\nusage: npm test [-- --long] [-- PART-OF-A-PATH...]`);
  return 2;
}

function testFiles(words) {
  const files = [];
  for (const { output } of outputFolders(root)) {
    if (!existsSync(output)) continue;
    for (const name of readdirSync(output, { recursive: true })) {
      if (name.endsWith('.test.js')) files.push(join(output, name));
    }
  }
  const wanted = (file) => words.length === 0 || words.some((word) => relative(root, file).includes(word));
  return files.filter(wanted).sort();
}

/** Node's closing lines as plain `# tests 12` where nobody watches, so that logs and scripts can look for them. */
async function* plainTotals(report) {
  for await (const text of report) yield String(text).replace(/^ℹ /gm, '# ');
}

async function report(files, abort) {
  let tests = 0;
  let failures = 0;
  const events = runTests({ files, concurrency, signal: abort.signal });
  events.on('test:fail', (event) => {
    if (!event.todo) failures += 1;
  });
  events.on('test:pass', (event) => {
    // A file without a single test is reported as one that passed, under its own name.
    if (event.details.type !== 'suite' && event.name !== event.file) tests += 1;
  });
  const output = events.compose(new Spec());
  for await (const text of process.stdout.isTTY ? output : plainTotals(output)) process.stdout.write(text);
  if (failures > 0 || abort.signal.aborted) return 1;
  if (tests > 0) return 0;
  console.error('no test ran');
  return 1;
}

async function main(args) {
  const options = args.filter((arg) => arg.startsWith('-'));
  const unknown = options.find((option) => option !== '--long');
  if (unknown !== undefined) return usage(`unknown option ${unknown}`);
  const long = options.length > 0;

  const code = await setup();
  if (code !== 0) return code;

  const words = args.filter((arg) => !arg.startsWith('-'));
  const files = testFiles(words);
  if (files.length === 0) return usage(words.length > 0 ? `no test file matches ${words.join(' ')}` : 'no test file');
  if (long) process.env.MSTORE_TEST_LONG = '1';
  // The test processes take our options: stack traces shall name the sources.
  process.execArgv.push('--enable-source-maps');

  const abort = new AbortController();
  let interrupted;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      interrupted = 128 + constants.signals[signal];
      abort.abort();
    });
  }
  const hung = () => {
    console.error(`the tests were stopped after ${hungAfterMs / 60_000} minutes`);
    abort.abort();
  };
  const timer = long ? undefined : setTimeout(hung, hungAfterMs);
  const result = await report(files, abort);
  clearTimeout(timer);
  return interrupted ?? result;
}

process.exitCode = await main(process.argv.slice(2));

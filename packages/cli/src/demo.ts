/** `mstore demo`; with `--serve`, what `npm start` runs */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inbox, type StoreReading } from '@mstore/store';
import type { Command } from 'commander';
import { accountOf, mailboxOf, withReading } from './access.ts';
import { Run, works } from './command.ts';
import { demoMessage, demoMessages } from './demo-mail.ts';
import { serveDemo } from './demo-service.ts';
import { demoLogin as login, makeDemo } from './demo-store.ts';
import { df } from './df.ts';
import { dumpMessage } from './dump-catalog.ts';
import { emlTarget } from './eml-target.ts';
import { entriesOf } from './entries.ts';
import { CommandError, exit } from './errors.ts';
import { checkStore, describe } from './fsck.ts';
import { counted, safeText } from './text.ts';

const manual = `
Makes a store with an account and some hundred messages in var/demo (or where --data says), unless it is there; shows what
they take, one message and what it is made of; exports all and compares them octet for octet; checks the store.

With --serve, which is what npm start runs, it serves that store on loopback until Ctrl-C, and says what to try.`;

const directory = join('var', 'demo');
/** A message with an attachment that others have too. */
const shown = 9;

export function addDemo(program: Command): void {
  const command = program.command('demo').description('show what the store does').addHelpText('after', manual);
  command.option('--serve', 'serve the store');
  works<{ readonly serve?: boolean }>(command, demo);
}

async function demo(asked: Run, options: { readonly serve?: boolean }): Promise<number> {
  const place = asked.directoryOr(directory);
  const run = new Run([], { data: place, json: asked.json }, asked.out);
  const say = async (text: string): Promise<void> => (asked.json ? undefined : run.out.write(text));
  const { isNew, messages } = await makeDemo(run, say);
  if (options.serve === true) return serveDemo(run, place, messages);
  if (!asked.json) await df(run);
  const compared = await withReading(run, async (reading) => {
    await showMessage(reading, say);
    return compare(reading);
  });
  await say(`\n${counted(compared, 'message')} exported and compared with what went in: equal, octet for octet.\n\n`);
  const report = await checkStore(run, true);
  const ok = report.findings.length === 0;
  await say(describe(report) + nextSteps(place));
  if (asked.json) await asked.out.write(`${JSON.stringify({ directory: place, isNew, compared, ok })}\n`);
  return ok ? exit.done : exit.findings;
}

async function showMessage(reading: StoreReading, say: (text: string) => Promise<void>): Promise<void> {
  const catalog = reading.catalog();
  const mailbox = mailboxOf(catalog, accountOf(catalog, login), inbox);
  const entry = catalog.entry(mailbox.id, shown + 1);
  const row = entry === undefined ? undefined : catalog.message(entry.message);
  if (entry === undefined || row === undefined) return;
  const message = await reading.open(entry);
  let header = '';
  for await (const octets of message.octets(0, message.headerBytes)) header += octets.toString();
  await say(`\nThe header of message ${entry.uid}:\n\n${indented(header.replaceAll('\r', ''))}\n`);
  await say(`Its body structure, ready for an IMAP client:\n\n${indented(safeText(row.bodyStructure.toString()))}\n`);
  await say(`How it is kept:\n\n${indented((await dumpMessage(reading, entry.message)).text)}`);
}

function indented(text: string): string {
  return text.trimEnd().replace(/^/gm, '  ').concat('\n');
}

/** Exports the demo's messages and compares the files with what the demo made. Mail that came later is left out. */
async function compare(reading: StoreReading): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'mstore-demo-'));
  try {
    const catalog = reading.catalog();
    const mailbox = mailboxOf(catalog, accountOf(catalog, login), inbox);
    const target = emlTarget(folder);
    await target.begin(mailbox, []);
    let compared = 0;
    for await (const entry of entriesOf(reading, mailbox.id)) {
      if (entry.uid > demoMessages) break;
      await target.write(entry, await reading.open(entry));
      const file = join(folder, inbox, `${entry.uid}.eml`);
      if (!(await readFile(file)).equals(demoMessage(entry.uid - 1))) {
        throw new CommandError(exit.findings, `message ${entry.uid} did not come out as it went in`);
      }
      compared++;
    }
    return compared;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function nextSteps(place: string): string {
  const mstore = 'node_modules/.bin/mstore';
  return `
Next, for instance:

  export MSTORE_DATA=${place}
  ${mstore} demo --serve
  ${mstore} import mbox FILE --user ${login} --mailbox Old
  ${mstore} export maildir FOLDER --user ${login}
  ${mstore} dump account ${login}
  ${mstore} --help
`;
}

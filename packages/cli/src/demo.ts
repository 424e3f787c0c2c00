/** `mstore demo`, which `npm start` runs */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DirectoryAdministration, isDirectoryError } from '@mstore/directory';
import { inbox, isStoreError, type StoreReading } from '@mstore/store';
import type { Command } from 'commander';
import { accountOf, mailboxOf, withReading, withWriter } from './access.ts';
import { Run, works } from './command.ts';
import { demoDate, demoMessage, demoMessages } from './demo-mail.ts';
import { df } from './df.ts';
import { openAccount, withAdministration } from './directory.ts';
import { dumpMessage } from './dump-catalog.ts';
import { emlTarget } from './eml-target.ts';
import { entriesOf } from './entries.ts';
import { CommandError, exit } from './errors.ts';
import { checkStore, describe } from './fsck.ts';
import { Importer } from './importer.ts';
import { makeStore } from './init.ts';
import { counted, safeText } from './text.ts';

const manual = `
Makes a store with an account and some hundred messages in var/demo (or where --data says), unless it is there; shows what
they take, one message and what it is made of; exports all and compares them octet for octet; checks the store.`;

const login = 'demo@example.org';
const password = 'demo';
const directory = join('var', 'demo');
/** A message with an attachment that others have too. */
const shown = 9;

export function addDemo(program: Command): void {
  works(program.command('demo').description('show what the store does').addHelpText('after', manual), demo);
}

async function demo(asked: Run): Promise<number> {
  const place = asked.directoryOr(directory);
  const run = new Run([], { data: place }, asked.out);
  const say = async (text: string): Promise<void> => (asked.json ? undefined : run.out.write(text));
  const isNew = await makeDemo(run, say);
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

async function makeDemo(run: Run, say: (text: string) => Promise<void>): Promise<boolean> {
  try {
    const known = await withReading(run, async (reading) => accountOf(reading.catalog(), login));
    await say(`The store in ${run.directory} is there, with ${counted(known.row.messages, 'message')}.\n\n`);
    return false;
  } catch (error) {
    if (!isStoreError(error, 'noStore') && !isStoreError(error, 'noAccount')) throw error;
    if (isStoreError(error, 'noStore')) await makeStore(run);
  }
  await withAdministration(run, addDemoUser);
  const { imported } = await withWriter(run, async (store) => {
    const importer = new Importer(store, await openAccount(run, store, login));
    for (let n = 0; n < demoMessages; n++) {
      const common = { name: `message ${n}`, mailbox: inbox, flags: 0, keywords: [] };
      await importer.add({ ...common, octets: demoMessage(n), internalDate: demoDate(n) });
    }
    return importer.finish();
  });
  await say(`A new store is in ${run.directory}; ${counted(imported, 'message')} delivered to ${login}.\n\n`);
  return true;
}

async function addDemoUser(administration: DirectoryAdministration): Promise<void> {
  try {
    await administration.addUser(login, { password });
  } catch (error) {
    if (!isDirectoryError(error, 'exists')) throw error;
  }
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
  echo 'Subject: hello' | ${mstore} deliver -d ${login}
  ${mstore} import mbox FILE --user ${login} --mailbox Old
  ${mstore} export maildir FOLDER --user ${login}
  ${mstore} dump account ${login}
  ${mstore} --help

There are no servers yet: mail comes in by deliver and import, and goes out by export.
`;
}

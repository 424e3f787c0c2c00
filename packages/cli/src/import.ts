/** `mstore import` */
import type { Command } from 'commander';
import { checkedName, withWriter } from './access.ts';
import { type Run, works } from './command.ts';
import { openAccount } from './directory.ts';
import { emlSource } from './eml-source.ts';
import { CommandError, exit, failureOf } from './errors.ts';
import { Importer, type ImportReport } from './importer.ts';
import { maildirSource } from './maildir-source.ts';
import { mboxSource } from './mbox-source.ts';
import type { Source } from './source.ts';
import { counted, humanBytes, safeText } from './text.ts';

const manual = `
Every octet is kept, but for line ends: LF becomes CRLF, and a missing last line end is added. Mailboxes that are not there
are made and subscribed to. A message over limits.messageBytes, or in a folder whose name no mailbox can have, is refused by name,
and the import goes on (exit code 1 at the end, as where a file of a Maildir was gone when it was its turn). An import that stops early says how many messages are in; what it says is in, stays in.`;

const mboxManual = `
PATH is a file, which goes to INBOX, or a folder of *.mbox as "mstore export mbox" writes it, each to the mailbox of its name.
A message begins with a line "From SENDER DATE" at the start of the file or after an empty line; the date is the internal
date, as UTC. Quoting is that of mboxrd: a line of ">From ", with any number of ">", loses one. LF and CRLF are understood,
Content-Length is not looked at. Lines that look like a message's first but follow no empty line stay text, and are counted at
the end (fromLinesKept with --json).`;

const maildirManual = `
PATH is a Maildir. It goes to INBOX, and its Maildir++ folders, as .Sub.Name, to mailboxes, as Sub/Name. Flags come from file
names, internal dates from file times, and where Dovecot left dovecot-keywords and dovecot-uidlist, keywords, order and
imported UIDLs from there.`;

const emlManual = `
PATH is a file, or a folder of *.eml as "mstore export eml" writes it: MAILBOX/UID.eml. Files right in the folder go to INBOX.
The internal date is that of the topmost Received, else of Date, else the file's.`;

interface ImportOptions {
  readonly user: string;
  readonly mailbox?: string;
}

type Open = (path: string, mailbox: string | undefined) => Promise<Source>;

const forms: readonly (readonly [string, string, string, Open])[] = [
  ['mbox', 'an mbox file', mboxManual, mboxSource],
  ['maildir', 'a Maildir', maildirManual, maildirSource],
  ['eml', 'a message file, or a folder of them', emlManual, emlSource],
];

export function addImport(program: Command): void {
  const command = program.command('import').description('bring mail in').addHelpText('after', manual);
  for (const [name, description, text, open] of forms) {
    const form = command.command(name).description(`bring in ${description}`).argument('<path>', description);
    form.requiredOption('--user <name>', 'the account').option('--mailbox <name>', 'one mailbox for everything');
    form.addHelpText('after', text + manual);
    works<ImportOptions>(form, (run, options) => importFrom(run, options, open));
  }
}

function importFrom(run: Run, options: ImportOptions, open: Open): Promise<number> {
  const mailbox = options.mailbox === undefined ? undefined : checkedName(options.mailbox);
  return withWriter(run, async (store) => {
    const source = await open(run.arg(0), mailbox);
    const importer = new Importer(store, await openAccount(run, store, options.user));
    const signal = await drive(run, source, importer).catch(async (error: unknown) => {
      const failure = failureOf(error);
      const { imported } = await importer.abandon();
      throw new CommandError(failure.exit, `${failure.text}; ${counted(imported, 'message')} imported before that`);
    });
    for (const note of source.notes()) run.note(note);
    const code = await answer(run, { ...importer.report, ...source.counts?.() }, signal);
    return code === exit.done && (source.missing?.() ?? 0) > 0 ? exit.findings : code;
  });
}

/** Imports until the end, or until a signal, which is returned. */
async function drive(run: Run, source: Source, importer: Importer): Promise<NodeJS.Signals | undefined> {
  const progress = run.progress('importing', source.unit);
  let signal: NodeJS.Signals | undefined;
  const stop = (name: NodeJS.Signals): void => {
    signal = name;
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop);
  try {
    for await (const incoming of source.messages) {
      if (signal !== undefined) break;
      await importer.add(incoming);
      const { done, total } = source.progress();
      progress.at(done, total);
    }
    await importer.finish();
    return signal;
  } finally {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, stop);
    progress.stop();
  }
}

async function answer(run: Run, report: ImportReport, signal: NodeJS.Signals | undefined): Promise<number> {
  if (!run.json) for (const { name, reason } of report.refusals) run.note(`refused ${safeText(name)}: ${reason}`);
  if (report.keywordsDropped > 0)
    run.note(`${counted(report.keywordsDropped, 'keyword')} that IMAP cannot name left out`);
  const refused = report.refused === 0 ? '' : `, ${counted(report.refused, 'message')} refused`;
  const text = `${counted(report.imported, 'message')} imported (${humanBytes(report.bytes)})${refused}.\n`;
  await run.answer({ ...report, interrupted: signal !== undefined }, text);
  if (signal !== undefined) {
    throw new CommandError(exit.tryAgain, `interrupted; ${counted(report.imported, 'message')} imported before that`);
  }
  return report.refused === 0 ? exit.done : exit.findings;
}

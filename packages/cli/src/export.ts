/** `mstore export` */
import { mkdir, readdir } from 'node:fs/promises';
import { errnoOf, errorText, isStoreError, type NamedMailbox, type StoreReading } from '@mstore/store';
import type { Command } from 'commander';
import { accountOf, mailboxOf, withReading } from './access.ts';
import { type Run, works } from './command.ts';
import { emlTarget } from './eml-target.ts';
import { entriesOf } from './entries.ts';
import { CommandError, exit } from './errors.ts';
import { maildirTarget } from './maildir-target.ts';
import { mboxFileTarget, mboxFolderTarget } from './mbox-target.ts';
import type { Target } from './target.ts';
import { counted, humanBytes, safeText } from './text.ts';

const manual = `
Writes the mail of an account, or of one of its mailboxes, and changes nothing in the store. What exists already is not
written over: a folder must be empty or absent, a file absent (exit code 73). A message that cannot be read is named, and so is a
mailbox whose name is too long for a file's; the export goes on (exit code 1 at the end).`;

const mboxManual = `
With --mailbox, PATH is the mbox file, or "-" for standard output. Without, it is a folder that gets MAILBOX.mbox for each
mailbox. Lines end in LF; those of "From ", behind any number of ">", get one more ">" (mboxrd). The first line bears the
internal date in UTC. An mbox keeps neither flags nor UIDs. "mstore import mbox" gives back every octet.`;

const maildirManual = `
PATH becomes a Maildir: INBOX in PATH/cur, the others in Maildir++ folders (.Sub.Name for Sub/Name; dots in a name are
encoded). Lines end in LF, flags stand in file names, file times are internal dates; dovecot-keywords names the
first 26 keywords of a mailbox, and dovecot-uidlist holds UIDs and imported UIDLs.`;

const emlManual = `
PATH is a folder that gets MAILBOX/UID.eml, each file exactly the message's octets, its time the internal date. Characters that
paths cannot have are written %XX, as is a dot at the start of a mailbox's name. "mstore import eml" reads that back.`;

interface ExportOptions {
  readonly user: string;
  readonly mailbox?: string;
}

type Open = (path: string, run: Run, one: boolean) => Promise<Target>;

const forms: readonly (readonly [string, string, string, Open])[] = [
  ['mbox', 'an mbox file, or a folder of them', mboxManual, openMbox],
  ['maildir', 'a Maildir', maildirManual, async (path) => maildirTarget(await emptyFolder(path))],
  ['eml', 'a folder of message files', emlManual, async (path) => emlTarget(await emptyFolder(path))],
];

export function addExport(program: Command): void {
  const command = program.command('export').description('write mail out').addHelpText('after', manual);
  for (const [name, description, text, open] of forms) {
    const form = command.command(name).description(`write ${description}`).argument('<path>', description);
    form.requiredOption('--user <name>', 'the account').option('--mailbox <name>', 'one mailbox only');
    form.addHelpText('after', text + manual);
    works<ExportOptions>(form, (run, options) => exportTo(run, options, open));
  }
}

async function openMbox(path: string, run: Run, one: boolean): Promise<Target> {
  if (!one) return mboxFolderTarget(await emptyFolder(path));
  if (path !== '-') return mboxFileTarget(path);
  if (run.json) throw new CommandError(exit.usage, '--json and mail cannot both go to standard output');
  return mboxFileTarget(run.out);
}

/** @throws CommandError usage, cannotCreate */
async function emptyFolder(path: string): Promise<string> {
  if (path === '-') {
    throw new CommandError(exit.usage, 'to standard output goes one mailbox as mbox: export mbox - --mailbox NAME');
  }
  await mkdir(path, { recursive: true });
  if ((await readdir(path)).length > 0) throw new CommandError(exit.cannotCreate, `${path}: the folder is not empty`);
  return path;
}

interface Exported {
  exported: number;
  bytes: number;
  readonly mailboxes: Record<string, number>;
  readonly damaged: { mailbox: string; uid: number; reason: string }[];
  /** Mailboxes that no file can be named after, with the number of their messages. */
  readonly unnamed: { mailbox: string; messages: number }[];
}

function exportTo(run: Run, options: ExportOptions, open: Open): Promise<number> {
  return withReading(run, async (reading) => {
    const { config } = await run.config();
    const account = accountOf(reading.catalog(), options.user, config.login.defaultDomain);
    const wanted = options.mailbox;
    const mailboxes =
      wanted === undefined
        ? [...reading.catalog().mailboxes(account.id)]
        : [mailboxOf(reading.catalog(), account, wanted)];
    const target = await open(run.arg(0), run, wanted !== undefined);
    const report: Exported = { exported: 0, bytes: 0, mailboxes: {}, damaged: [], unnamed: [] };
    const total = mailboxes.reduce((sum, { row }) => sum + row.messages, 0);
    const progress = run.progress('exporting', 'messages');
    try {
      for (const mailbox of mailboxes) {
        await exportMailbox(reading, mailbox, target, report, () => progress.at(report.exported, total));
      }
      await target.close();
    } finally {
      progress.stop();
    }
    return answer(run, report, target);
  });
}

async function exportMailbox(
  reading: StoreReading,
  mailbox: NamedMailbox,
  target: Target,
  report: Exported,
  onMessage: () => void,
): Promise<void> {
  const { name } = mailbox.row;
  try {
    await target.begin(mailbox, reading.catalog().keywords(mailbox.id));
  } catch (error) {
    if (errnoOf(error) !== 'ENAMETOOLONG') throw error;
    report.unnamed.push({ mailbox: name, messages: mailbox.row.messages });
    return;
  }
  for await (const entry of entriesOf(reading, mailbox.id)) {
    try {
      await target.write(entry, await reading.open(entry));
      report.exported++;
      report.bytes += entry.size;
      report.mailboxes[name] = (report.mailboxes[name] ?? 0) + 1;
    } catch (error) {
      if (!isStoreError(error, 'corrupt') && !isStoreError(error, 'ioError')) throw error;
      report.damaged.push({ mailbox: name, uid: entry.uid, reason: errorText(error) });
    }
    onMessage();
  }
  await target.end();
}

async function answer(run: Run, report: Exported, target: Target): Promise<number> {
  for (const { mailbox, uid, reason } of report.damaged) {
    if (!run.json) run.note(`cannot read ${safeText(mailbox)}, UID ${uid}: ${reason}`);
  }
  for (const { mailbox, messages } of report.unnamed) {
    if (run.json) break;
    const what = `${safeText(mailbox)}, ${counted(messages, 'message')}: the name is too long for a file's`;
    run.note(`not exported: ${what}; with --mailbox, export mbox writes a file of any name`);
  }
  for (const note of target.notes()) run.note(note);
  const damaged = report.damaged.length === 0 ? '' : `, ${counted(report.damaged.length, 'message')} could not be read`;
  const text = `${counted(report.exported, 'message')} exported (${humanBytes(report.bytes)})${damaged}.\n`;
  if (!target.isOutput) await run.answer(report, text);
  return report.damaged.length + report.unnamed.length === 0 ? exit.done : exit.findings;
}

/** `mstore dump` */
import type { Command } from 'commander';
import { withReading } from './access.ts';
import { type Run, works } from './command.ts';
import { dumpAccount, dumpMailbox, dumpMessage, dumpPart } from './dump-catalog.ts';
import { dumpPlace } from './dump-record.ts';
import { CommandError, exit } from './errors.ts';
import type { Explained } from './explained.ts';

const manual = `
Explains what is at a place. LOCATION is one of

  LSN                 a record of the log, by its log sequence number
  SEGMENT:OFFSET      a record, by its segment's number and its offset in that file
  account NAME        an account, its mailboxes and quota
  mailbox ID          a mailbox, by its number
  message ID          a stored message: where it is, and what it is made of
  part SHA256         a body part: where its content is, and which messages name it

A place inside a record leads to that record.`;

export function addDump(program: Command): void {
  const command = program
    .command('dump')
    .description('explain what is at a place')
    .argument('<location...>', 'see below');
  works(command.addHelpText('after', manual), dump);
}

function dump(run: Run): Promise<number> {
  const [first = '', second] = run.args;
  return withReading(run, async (reading) => {
    const explained = await explain();
    await run.answer(explained.value, explained.text);
    return exit.done;

    async function explain(): Promise<Explained> {
      if (second === undefined) {
        const place = /^(?:(\d{1,15}):)?(\d{1,16})$/.exec(first);
        if (place === null) throw new CommandError(exit.usage, `${first} is no location; see mstore dump --help`);
        return dumpPlace(reading, place[1] === undefined ? undefined : Number(place[1]), Number(place[2]));
      }
      switch (first) {
        case 'account':
          return dumpAccount(reading.catalog(), second, (await run.config()).config.login.defaultDomain);
        case 'mailbox':
          return dumpMailbox(reading.catalog(), numberOf(second));
        case 'message':
          return dumpMessage(reading, numberOf(second));
        case 'part':
          return dumpPart(reading.catalog(), second);
        default:
          throw new CommandError(exit.usage, `${first} is no kind of location; see mstore dump --help`);
      }
    }
  });
}

function numberOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new CommandError(exit.usage, `${text} is no number`);
  return Number(text);
}

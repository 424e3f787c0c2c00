/** What getmail makes of messages, for the tests that let it fetch some. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filesIn, runWell } from '../support/programs.ts';

/** getmail takes a message apart and puts it together again with Python's email package, which tidies broken MIME. */
const getmailScript = `
import email.parser, os, sys
source, target = sys.argv[1:]
for name in os.listdir(source):
    octets = open(os.path.join(source, name), 'rb').read()
    message = email.parser.BytesParser().parsebytes(octets)
    del message['Return-Path']
    try:
        octets = message.as_bytes(policy=message.policy.clone(linesep=os.linesep))
    except (TypeError, UnicodeEncodeError):
        pass
    open(os.path.join(target, name), 'wb').write(octets)
`;

/** Settings that take mail away, a hundred messages a session. `retriever`: lines that say where from. */
export async function writeGetmailrc(
  file: string,
  retriever: readonly string[],
  maildir: string,
  options: readonly string[] = [],
): Promise<void> {
  const settings = `[retriever]
${retriever.join('\n')}
timeout = 5

[destination]
type = Maildir
path = ${maildir}/

[options]
delete = true
delivered_to = false
received = false
${options.map((line) => `${line}\n`).join('')}max_messages_per_session = 100
`;
  await writeFile(file, settings, { mode: 0o644 });
}

/** The messages as getmail writes them, with LF. */
export async function throughGetmail(place: string, messages: readonly Buffer[]): Promise<Buffer[]> {
  for (const name of ['in', 'out']) await mkdir(join(place, name));
  for (const [at, message] of messages.entries()) await writeFile(join(place, 'in', `${at}`), message);
  await runWell('python3', ['-c', getmailScript, join(place, 'in'), join(place, 'out')]);
  return filesIn(join(place, 'out'), /^(\d+)$/);
}

/** Sorted: what was fetched twice counts once. */
export function distinctBodies(messages: readonly Buffer[]): Buffer[] {
  const bodies = new Set(messages.map((octets) => bodyOf(octets).toString('latin1')));
  return [...bodies].sort().map((body) => Buffer.from(body, 'latin1'));
}

/** Behind the first empty line; getmail writes a header of its own where there is none. */
export function bodyOf(octets: Buffer): Buffer {
  if (octets[0] === 0x0a) return octets.subarray(1);
  const at = octets.indexOf('\n\n');
  return at === -1 ? Buffer.alloc(0) : octets.subarray(at + 2);
}

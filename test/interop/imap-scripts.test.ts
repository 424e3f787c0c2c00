/** Libraries of scripting languages: Python's imaplib and Perl's Mail::IMAPClient, in whole round trips. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { requireProgram } from '../support/interop.ts';
import { assertAll, filesIn, run, runWell } from '../support/programs.ts';
import { ImapScene, mailToShow, shown } from './imap-scene.ts';

/** Appends the files of a folder, fetches what is there into another, and does what else there is to do. */
const imaplibScript = String.raw`
import imaplib, json, os, sys
imaplib._MAXLINE = 1 << 24
port, login, password, source, target = sys.argv[1:]
imap = imaplib.IMAP4('127.0.0.1', int(port))
imap.login(login, password)
said = {'namespace': imap.namespace()[1][0].decode()}
def ok(answer):
    assert answer[0] == 'OK', answer
    return answer[1]
name = '"T&APY-pfe &- \\"Pfannen\\""'
ok(imap.create(name))
ok(imap.subscribe(name))
for number in sorted(map(int, os.listdir(source))):
    octets = open(os.path.join(source, str(number)), 'rb').read()
    # imaplib makes every lone CR or LF a line end before it sends.
    ok(imap.append(name, r'(\Seen $Mark)', '"01-Feb-2003 04:05:06 +0700"', octets))
said['select'] = ok(imap.select(name))[0].decode()
uids = ok(imap.uid('FETCH', '1:*', '(UID)'))
said['uids'] = len(uids)
for number in range(1, len(uids) + 1):
    answer = ok(imap.fetch(str(number), '(FLAGS INTERNALDATE BODY.PEEK[])'))
    head, octets = answer[0]
    if number == 1: said['first'] = head.decode()
    open(os.path.join(target, str(number)), 'wb').write(octets)
    said['sizes'] = said.get('sizes', 0) + int(ok(imap.fetch(str(number), '(RFC822.SIZE)'))[0].split()[-1].rstrip(b')'))
ok(imap.store('1', '-FLAGS', r'(\Seen)'))
said['flags'] = ok(imap.store('1:2', '+FLAGS', r'(\Deleted \Answered)'))[0].decode()
ok(imap.copy('1:3', 'Archive'))
ok(imap.uid('MOVE', '4', 'Trash'))
said['expunged'] = [number.decode() for number in ok(imap.expunge())]
said['check'] = ok(imap.check())[0].decode()
said['status'] = ok(imap.status(name, '(MESSAGES UNSEEN UIDNEXT)'))[0].decode()
said['seen'] = len(ok(imap.search(None, 'SEEN'))[0].split())
said['none'] = ok(imap.uid('SEARCH', 'CHARSET', 'UTF-8', 'HEADER', 'Subject', '"no header"'))[0].decode()
said['partial'] = ok(imap.fetch('1', '(BODY.PEEK[]<1.4>)'))[0][1].decode()
ok(imap.unselect())
ok(imap.rename(name, 'plain'))
said['list'] = sorted(line.decode() for line in ok(imap.list()))
said['lsub'] = [line.decode() if line else None for line in ok(imap.lsub())]
ok(imap.delete('plain'))
imap.logout()
print(json.dumps(said))
`;

async function folders(scene: ImapScene, mail: readonly Buffer[]): Promise<readonly [string, string]> {
  const [source, target] = [join(scene.folder, 'source'), join(scene.folder, 'target')];
  await mkdir(source);
  await mkdir(target);
  for (const [index, octets] of mail.entries()) await writeFile(join(source, `${index + 1}`), octets);
  return [source, target];
}

test("Python's imaplib appends, fetches, flags, copies, moves, expunges and renames", async (t) => {
  const python = requireProgram(t, 'python3');
  if (python === undefined) return;
  await using scene = await ImapScene.start();
  const mail = (await mailToShow()).map(shown);
  const [source, target] = await folders(scene, mail);
  const args = ['-c', imaplibScript, `${scene.port}`, scene.login, scene.password, source, target];
  const said = JSON.parse(await runWell(python, args));
  // imaplib makes every lone CR or LF a line end before it sends.
  const sent = mail.map((octets) => Buffer.from(octets.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n'), 'latin1'));
  assertAll(await filesIn(target, /^(\d+)$/), sent);
  const count = mail.length;
  assert.equal(said.namespace, '(("" "/")) NIL NIL');
  assert.equal(said.select, `${count}`);
  assert.match(
    said.first,
    /^1 \(FLAGS \(\\Seen \$Mark \\Recent\) INTERNALDATE "31-Jan-2003 21:05:06 \+0000" BODY\[\] \{55\}$/,
  );
  assert.equal(
    said.sizes,
    sent.reduce((sum, { length }) => sum + length, 0),
  );
  assert.match(said.flags, /^1 \(FLAGS \(\\Answered \\Deleted \$Mark \\Recent\)\)$/);
  // The message that was moved first, then those that were deleted.
  assert.deepEqual(said.expunged, ['4', '2', '1']);
  assert.match(said.status, new RegExp(` \\(MESSAGES ${count - 3} UNSEEN 0 UIDNEXT ${count + 1}\\)$`));
  assert.deepEqual([said.seen, said.none], [count - 3, '']);
  assert.equal(said.partial, sent[2]?.toString('latin1', 1, 5));
  assert.ok(said.list.includes('(\\HasNoChildren) "/" plain'));
  assert.ok(said.lsub.includes('() "/" "T&APY-pfe &- \\"Pfannen\\""'));
  assertAll(await scene.stored('Archive'), sent.slice(0, 3));
  assertAll(await scene.stored('Trash'), sent.slice(3, 4));
  assert.ok(!(await scene.names()).includes('plain'));
});

const perlScript = String.raw`
use strict; use warnings; use Mail::IMAPClient;
my ($port, $login, $password, $source, $target) = @ARGV;
my $imap = Mail::IMAPClient->new(Server => '127.0.0.1', Port => $port, User => $login, Password => $password, Uid => 1, Peek => 1, Ignoresizeerrors => 0)
    or die "no login: $@";
sub ok { my ($what, $result) = @_; die "$what: " . ($imap->LastError // '') unless defined $result; return $result }
my $name = 'T&APY-pfe &- "Pfannen"';
ok('create', $imap->create($name));
for my $number (sort { $a <=> $b } map { m{/(\d+)$} } glob("$source/*")) {
    open(my $file, '<:raw', "$source/$number") or die; local $/; my $octets = <$file>;
    ok("append $number", $imap->append_string($name, $octets, '\Seen', '01-Feb-2003 04:05:06 +0700'));
}
ok('select', $imap->select($name));
my @uids = @{ ok('messages', scalar $imap->messages) };
my $at = 0;
for my $uid (@uids) {
    $at++;
    ok("fetch $uid", $imap->message_to_file("$target/$at", $uid));
}
print "messages: ", scalar(@uids), "\n";
my $envelope = $imap->get_envelope($uids[0]);
print "subject: ", ($envelope ? $envelope->subject : 'none'), "\n";
my $structure = $imap->get_bodystructure($uids[0]);
print "structure: ", $structure->bodytype, "/", $structure->bodysubtype, "\n";
ok('flag', $imap->set_flag('Flagged', @uids[0, 1]));
ok('unset', $imap->unset_flag('Seen', $uids[1]));
print "flags: ", join(' ', sort grep { !/Recent/ } $imap->flags($uids[1])), "\n";
ok('copy', $imap->copy('Archive', @uids[0 .. 2]));
ok('move', $imap->move('Trash', $uids[3]));
ok('delete', $imap->delete_message($uids[0]));
ok('expunge', $imap->expunge);
print "left: ", $imap->message_count, "\n";
print "unseen: ", scalar(@{ ok('unseen', scalar $imap->unseen) }), "\n";
print "found: ", scalar(@{ ok('search', scalar $imap->search('SUBJECT', $imap->Quote('literal'))) }), "\n";
print "folders: ", join('|', sort $imap->folders), "\n";
print "date: ", $imap->internaldate($uids[1]), "\n";
ok('close', $imap->close);
ok('rename', $imap->rename($name, 'plain'));
ok('remove', $imap->delete('plain'));
ok('logout', $imap->logout);
`;

/** Perl with the module, or undefined after skipping. */
async function requireImapClient(t: TestContext): Promise<string | undefined> {
  const perl = requireProgram(t, 'perl');
  if (perl === undefined) return undefined;
  const { code } = await run(perl, ['-MMail::IMAPClient', '-e', '1']);
  if (code === 0) return perl;
  if (process.env.MSTORE_REQUIRE_INTEROP === '1') throw new Error('Mail::IMAPClient is not installed');
  t.skip('Mail::IMAPClient is not installed');
  return undefined;
}

test("Perl's Mail::IMAPClient appends, fetches, flags, copies, moves, expunges and renames", async (t) => {
  const perl = await requireImapClient(t);
  if (perl === undefined) return;
  await using scene = await ImapScene.start();
  const mail = (await mailToShow()).map(shown);
  const [source, target] = await folders(scene, mail);
  const args = ['-e', perlScript, `${scene.port}`, scene.login, scene.password, source, target];
  const said = await runWell(perl, args);
  assertAll(await filesIn(target, /^(\d+)$/), mail);
  const left = mail.length - 2;
  const made = [...(await scene.names()), 'T&APY-pfe &- "Pfannen"'].sort().join('|');
  assert.equal(
    said,
    `messages: ${mail.length}
subject: dots
structure: TEXT/PLAIN
flags: \\Flagged
left: ${left}
unseen: 1
found: 1
folders: ${made}
date: 31-Jan-2003 21:05:06 +0000
`,
  );
  assertAll(await scene.stored('Archive'), mail.slice(0, 3));
  assertAll(await scene.stored('Trash'), mail.slice(3, 4));
});

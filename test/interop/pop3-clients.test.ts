/**
 * Other people's POP3 clients on the corpus. Each has a maildrop of its own with the same messages, and must give what the
 * maildrop holds, but for what the client itself is known to change; that stands at each test.
 */
import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { asStored, withoutFromLine } from '../cli/command.ts';
import { corpusFiles } from '../support/corpus.ts';
import { requireProgram } from '../support/interop.ts';
import { LmtpClient } from '../support/lmtp-client.ts';
import { counts } from '../support/long.ts';
import { Pop3Client } from '../support/pop3-client.ts';
import { assertAll, filesIn, nobody, run, withLf } from '../support/programs.ts';
import { repositoryRoot } from '../support/repository.ts';
import { commonPassword, Service } from '../support/service.ts';
import { type TempDirectory, tempDirectory } from '../support/temp.ts';
import { bodyOf, distinctBodies, throughGetmail, writeGetmailrc } from './getmail.ts';

const clients = ['poplib', 'curl', 'curl-login', 'fetchmail', 'getmail', 'mpop', 'raw'] as const;
type Client = (typeof clients)[number];

const ldaProgram = join(repositoryRoot, 'node_modules/.bin/mstore-lda');
const addressOf = (client: Client): string => `${client}@example.org`;

let service: Service;
let folder: TempDirectory;

before(async () => {
  folder = await tempDirectory();
  await chmod(folder.path, 0o755);
  service = await Service.start({ users: clients.map(addressOf) });
  const messages = await messagesToSend();
  const recipients = clients.map(addressOf);
  const lmtp = await LmtpClient.connect(service.tcp('lmtp'));
  for (const message of messages) {
    const replies = await lmtp.deliver({ sender: 'eve@example.net', recipients, message });
    assert.ok(
      replies.every(({ code }) => code === 250),
      JSON.stringify(replies),
    );
  }
  await lmtp.quit();
  for (const message of piped(messages)) {
    const args = ['--data', service.directory, '-f', 'eve@example.net', '-a', ...recipients];
    const { code, stderr } = await run(ldaProgram, args, { input: message });
    assert.equal(code, 0, stderr);
  }
});

after(async () => {
  await service?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

/** Messages that clients trip over, and the corpus, or a sample of it. */
async function messagesToSend(): Promise<Buffer[]> {
  const made = [
    'Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.x\r\nFrom me\r\n>From you\r\n\r\n',
    'Subject: no body\r\n',
    'Subject: empty body\r\n\r\n',
    'Subject: only dots\r\n\r\n.\r\n.\r\n',
    `Subject: long\r\nX-Long: ${'x'.repeat(3_000)}\r\n\r\n${'y'.repeat(20_000)}\r\n`,
    `Subject: 8 bit \xe4\r\n\r\n\x80\xff\r\n`,
  ].map((text) => Buffer.from(text, 'latin1'));
  const files = (corpusFiles() ?? []).filter(({ kind }) => kind === 'message');
  const step = Math.max(1, Math.floor(files.length / counts(100, files.length)));
  const sample = files.filter((_, at) => at % step === 0);
  return [...made, ...(await Promise.all(sample.map(async ({ path }) => asStored(await readFile(path)))))];
}

/** Those that mstore-lda delivers as well. */
function piped(messages: readonly Buffer[]): readonly Buffer[] {
  return messages.slice(-counts(20, messages.length));
}

/** A new folder for a client, that anybody may use. */
async function folderFor(client: Client): Promise<string> {
  const path = join(folder.path, client);
  await mkdir(path);
  await chmod(path, 0o777);
  return path;
}

async function session(client: Client): Promise<Pop3Client> {
  return Pop3Client.login(service.tcp('pop3'), addressOf(client), commonPassword);
}

test('a raw client reads what was delivered, below the trace lines', async () => {
  const got = await service.maildrop(addressOf('raw'));
  const messages = await messagesToSend();
  const expected = [...messages, ...piped(messages).map(withoutFromLine)];
  const trace =
    /^Return-Path: <eve@example\.net>\r\nDelivered-To: raw@example\.org\r\nReceived: [\s\S]*?; \w{3}, .* \+0000\r\n/;
  const below = got.map((octets) => {
    const [lines = ''] = trace.exec(octets.toString('latin1')) ?? [];
    return octets.subarray(lines.length);
  });
  assertAll(below, expected);
});

/** Takes lines of up to 2,048 octets unless told otherwise; gives lines without their ends and doubled dots. */
const poplibScript = `
import json, os, poplib, sys
poplib._MAXLINE = 1 << 24
port, name, password, folder = sys.argv[1:]
pop = poplib.POP3('127.0.0.1', int(port))
pop.user(name); pop.pass_(password)
sizes = [line.split()[1].decode() for line in pop.list()[1]]
uidls = [line.split()[1].decode() for line in pop.uidl()[1]]
for number in range(1, len(sizes) + 1):
    for kind, lines in (('retr', pop.retr(number)[1]), ('top', pop.top(number, 3)[1])):
        with open(os.path.join(folder, kind, str(number)), 'wb') as file:
            file.write(b''.join(line + b'\\r\\n' for line in lines))
count, octets = pop.stat()
pop.quit()
print(json.dumps({'sizes': sizes, 'uidls': uidls, 'count': count, 'octets': octets}))
`;

test("Python's poplib lists, reads and tops every message", async (t) => {
  const python = requireProgram(t, 'python3');
  if (python === undefined) return;
  const place = await folderFor('poplib');
  for (const name of ['retr', 'top']) await mkdir(join(place, name));
  const args = ['-c', poplibScript, `${service.port('pop3')}`, addressOf('poplib'), commonPassword, place];
  const { code, stdout, stderr } = await run(python, args);
  assert.equal(code, 0, stderr);
  const wanted = await service.maildrop(addressOf('poplib'));
  const { sizes, uidls, count, octets } = JSON.parse(stdout);
  const client = await session('poplib');
  assert.deepEqual(
    sizes,
    wanted.map(({ length }) => String(length)),
  );
  assert.deepEqual(uidls, [...(await client.listing('UIDL')).values()]);
  assert.equal(count, wanted.length);
  assert.equal(
    octets,
    wanted.reduce((sum, { length }) => sum + length, 0),
  );
  assertAll(await filesIn(join(place, 'retr'), /^(\d+)$/), wanted);
  const tops: Buffer[] = [];
  for (let number = 1; number <= count; number++) tops.push(await client.blockOf(`TOP ${number} 3`));
  await client.quit();
  assertAll(await filesIn(join(place, 'top'), /^(\d+)$/), tops);
  for (const [at, top] of tops.entries()) assertTop(top, wanted[at] ?? Buffer.alloc(0));
});

/** TOP with three lines: the header, the empty line and three lines of the body; everything where there is no more. */
function assertTop(top: Buffer, message: Buffer): void {
  const text = message.toString('latin1');
  const body = text.indexOf('\r\n\r\n');
  const lines = body === -1 ? [] : text.slice(body + 4).split(/(?<=\r\n)/);
  const wanted = body === -1 ? text : text.slice(0, body + 4) + lines.slice(0, 3).join('');
  assert.equal(top.toString('latin1'), wanted);
}

/** Where a server offers SASL, curl uses it, and never USER and PASS. */
for (const [client, options, mechanism] of [
  ['curl', ['--sasl-ir'], 'PLAIN'],
  ['curl-login', ['--login-options', 'AUTH=LOGIN'], 'LOGIN'],
] as const) {
  test(`curl reads every message with SASL ${mechanism}, as it is`, async (t) => {
    const curl = requireProgram(t, 'curl');
    if (curl === undefined) return;
    const place = await folderFor(client);
    const wanted = await service.maildrop(addressOf(client));
    const url = `pop3://127.0.0.1:${service.port('pop3')}/[1-${wanted.length}]`;
    const login = ['--user', `${addressOf(client)}:${commonPassword}`];
    const { code, stderr } = await run(curl, ['-sS', '-v', ...login, ...options, '-o', join(place, '#1'), url]);
    assert.equal(code, 0, stderr);
    assert.ok(stderr.includes(`> AUTH ${mechanism}`), stderr.slice(0, 2_000));
    assertAll(await filesIn(place, /^(\d+)$/), wanted);
  });
}

/** fetchmail 6.4 cuts lines at 8 KiB and puts octets of its own there. */
const fetchmailLineBytes = 8_190;

/**
 * As fetchmail gives a message to its delivery program: lines of the header that begin with `From ` are left out, and an empty
 * line ends the header, also where there was none.
 */
function throughFetchmail(octets: Buffer): Buffer {
  const text = octets.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const header = end === -1 ? text : text.slice(0, end + 2);
  const rest = end === -1 ? '\r\n' : text.slice(end + 2);
  const kept = header.split(/(?<=\r\n)/).filter((line) => !line.startsWith('From '));
  return withLf(Buffer.from(kept.join('') + rest, 'latin1'));
}

test('fetchmail fetches every message once, and knows them by UIDL', async (t) => {
  const fetchmail = requireProgram(t, 'fetchmail');
  if (fetchmail === undefined) return;
  const place = await folderFor('fetchmail');
  const mail = join(place, 'mail');
  await mkdir(mail);
  const collector = join(place, 'collect');
  await writeFile(collector, `#!/bin/sh\nexec cat >"${mail}/$(($(ls "${mail}" | wc -l) + 1))"\n`, { mode: 0o755 });
  const settings = `set invisible
set no bouncemail
poll 127.0.0.1 service ${service.port('pop3')} protocol pop3 uidl bad-header accept no envelope no dns timeout 60
  user "${addressOf('fetchmail')}" password "${commonPassword}" sslproto ''
  is postmaster here keep no rewrite no mimedecode no dropstatus no dropdelivered mda "${collector}"
`;
  const file = join(place, 'fetchmailrc');
  await writeFile(file, settings, { mode: 0o600 });
  const env = { ...process.env, HOME: place, FETCHMAILHOME: place };
  const args = ['--fetchmailrc', file, '--nosyslog', '--pidfile', join(place, 'pid')];
  const first = await run(fetchmail, args, { env });
  assert.equal(first.code, 0, first.stdout + first.stderr);
  const wanted = await service.maildrop(addressOf('fetchmail'));
  const got = await filesIn(mail, /^(\d+)$/);
  assert.equal(got.length, wanted.length);
  const passed = (_: Buffer, at: number): boolean => {
    return longestLine(wanted[at] ?? Buffer.alloc(0)) <= fetchmailLineBytes;
  };
  assertAll(got.filter(passed), wanted.map(throughFetchmail).filter(passed));
  const second = await run(fetchmail, args, { env });
  assert.equal(second.code, 1, second.stdout + second.stderr);
  assert.equal((await readdir(mail)).length, wanted.length);
});

function longestLine(octets: Buffer): number {
  return Math.max(
    ...octets
      .toString('latin1')
      .split('\n')
      .map(({ length }) => length),
  );
}

test('mpop fetches every message once, and knows them by UIDL', async (t) => {
  const mpop = requireProgram(t, 'mpop');
  if (mpop === undefined) return;
  const place = await folderFor('mpop');
  for (const name of ['cur', 'new', 'tmp']) await mkdir(join(place, 'maildir', name), { recursive: true });
  const settings = `account default
host 127.0.0.1
port ${service.port('pop3')}
tls off
auth user
user ${addressOf('mpop')}
password ${commonPassword}
keep on
received_header off
delivery maildir ${place}/maildir
uidls_file ${place}/uidls
`;
  const file = join(place, 'mpoprc');
  await writeFile(file, settings, { mode: 0o600 });
  const first = await run(mpop, ['-C', file]);
  assert.equal(first.code, 0, first.stdout + first.stderr);
  const wanted = await service.maildrop(addressOf('mpop'));
  const arrived = await readdir(join(place, 'maildir/new'));
  assert.equal(arrived.length, wanted.length, arrived[0]);
  assertAll(await filesIn(join(place, 'maildir/new'), /_(\d+)\./), wanted.map(withLf));
  const second = await run(mpop, ['-C', file]);
  assert.equal(second.code, 0, second.stdout + second.stderr);
  assert.equal((await readdir(join(place, 'maildir/new'))).length, wanted.length);
});

test('getmail fetches every body and deletes, so that the maildrop is empty', async (t: TestContext) => {
  const getmail = requireProgram(t, 'getmail');
  if (getmail === undefined) return;
  const place = await folderFor('getmail');
  const maildir = join(place, 'maildir');
  for (const name of ['cur', 'new', 'tmp']) await mkdir(join(maildir, name), { recursive: true });
  const file = join(place, 'getmailrc');
  const retriever = [
    'type = SimplePOP3Retriever',
    'server = 127.0.0.1',
    `port = ${service.port('pop3')}`,
    `username = ${addressOf('getmail')}`,
    `password = ${commonPassword}`,
  ];
  await writeGetmailrc(file, retriever, maildir);
  const user = process.getuid?.() === 0 ? nobody : {};
  if (process.getuid?.() === 0) {
    for (const name of ['cur', 'new', 'tmp']) await chown(join(maildir, name), nobody.uid, nobody.gid);
    await chown(maildir, nobody.uid, nobody.gid);
  }
  const wanted = await service.maildrop(addressOf('getmail'));
  const args = ['--rcfile', file, '--getmaildir', place];
  // A hundred a session: getmail 6.18 may miss the end of the process that writes a message, gives up, and begins anew.
  const runsMax = 10 + wanted.length / 50;
  for (let runs = 0; runs < runsMax && (await isAnyLeft('getmail')); runs++) {
    const ran = await run(getmail, args, { ...user, env: { ...process.env, HOME: place } });
    if (!ran.stderr.includes('waiting child pid')) assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  }
  assert.deepEqual(await service.maildrop(addressOf('getmail')), []);
  const got = await filesIn(join(maildir, 'new'), /Q(\d+)/);
  assert.ok(got.length >= wanted.length);
  const originals = wanted.map(withLf);
  const passed = await throughGetmail(place, originals);
  assertAll(distinctBodies(got), distinctBodies(passed));
  const same = passed.filter((octets, at) => bodyOf(octets).equals(bodyOf(originals[at] ?? Buffer.alloc(0))));
  t.diagnostic(`${same.length} of ${wanted.length} bodies as they were`);
  assert.ok(same.length > 0.8 * wanted.length);
});

async function isAnyLeft(client: Client): Promise<boolean> {
  const reader = await session(client);
  const count = Number((await reader.command('STAT')).split(' ')[0]);
  await reader.quit();
  return count > 0;
}

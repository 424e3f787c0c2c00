/** `mstore trace`: the dialogue of a user's sessions, without what is nobody's business. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../support/repository.ts';
import { Service } from '../support/service.ts';
import { Lines, until } from './service.ts';

const ann = 'ann@example.org';
const bob = 'bob@example.org';
const password = 'correct-horse';
const plain = Buffer.from(`\0${ann}\0${password}`).toString('base64');
const loginParts = [ann, password].map((text) => Buffer.from(text).toString('base64'));
const body = 'the body that nobody else may read\r\n';
const message = `From: a@example.net\r\nSubject: hidden\r\n\r\n${body}`;

const main = join(repositoryRoot, 'packages/cli/dist/main.js');

/** `mstore trace` as it runs. */
class Trace {
  readonly #child: ChildProcess;
  stdout = '';
  stderr = '';

  constructor(service: Service, ...args: readonly string[]) {
    const command = [main, 'trace', ...args, '--data', service.directory];
    this.#child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (octets: Buffer) => {
      this.stdout += octets.toString();
    });
    this.#child.stderr?.on('data', (octets: Buffer) => {
      this.stderr += octets.toString();
    });
  }

  static async begin(service: Service, ...args: readonly string[]): Promise<Trace> {
    const trace = new Trace(service, ...args);
    await until('the trace begins', () => trace.stderr.includes('tracing'));
    return trace;
  }

  async shows(pattern: RegExp): Promise<void> {
    await until(
      () => `${pattern} in ${this.stdout}${this.stderr}`,
      () => pattern.test(this.stdout),
    );
  }

  /** Ctrl-C. */
  async end(): Promise<number | null> {
    const over = once(this.#child, 'exit');
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGINT');
      await over;
    }
    return this.#child.exitCode;
  }
}

async function speak(address: string, steps: readonly (readonly [string, RegExp])[]): Promise<void> {
  const lines = Lines.open(address);
  await lines.hears(/^(?:\* OK|\+OK).*\r\n/);
  for (const [said, heard] of steps) {
    lines.say(said);
    await lines.hears(heard);
  }
  await lines.ends();
}

function assertNoSecret(text: string): void {
  const secrets = [password, plain, ...loginParts, Buffer.from(password).toString('base64').slice(0, 12)];
  for (const secret of [...secrets, 'nobody else may read', 'Subject: hidden', 'wrong-one']) {
    assert.ok(!text.includes(secret), `${secret} in ${text}`);
  }
}

test('the sessions of a user are shown from the greeting on, without passwords, responses and messages', async () => {
  await using service = await Service.start({ users: [ann, bob], config: '[imap]\nworkers = 2\n' });
  await service.deliver({ recipients: [ann], message: Buffer.from(message) });
  const trace = await Trace.begin(service, ann);
  const imap = service.tcp('imap');
  const ends: readonly [string, RegExp] = ['z LOGOUT\r\n', /^z OK .*\r\n/m];
  const wrong = `a LOGIN ${ann} wrong-one\r\n`;
  await speak(imap, [
    [wrong, /^a NO .*\r\n/m],
    [`a LOGIN ${ann} ${password}\r\n`, /^a OK .*\r\n/m],
    ['b SELECT INBOX\r\n', /^b OK .*\r\n/m],
    ['c FETCH 1 (FLAGS BODY.PEEK[])\r\n', /^c OK .*\r\n/m],
    [`d APPEND INBOX {${message.length}}\r\n`, /^\+ .*\r\n/m],
    [`${message}\r\n`, /^d OK .*\r\n/m],
    [`${password} here\r\n`, / BAD .*\r\n/m],
    [`e LOGIN ${ann} ${password}\r\n`, /^e BAD .*\r\n/m],
    ends,
  ]);
  await speak(imap, [
    ['a AUTHENTICATE LOGIN\r\n', /^\+ .*\r\n/m],
    [`${loginParts[0]}\r\n`, /^\+ .*\r\n/m],
    [`${loginParts[1]}\r\n`, /^a OK .*\r\n/m],
    ends,
  ]);
  await speak(imap, [[`a AUTHENTICATE PLAIN ${plain}\r\n`, /^a OK .*\r\n/m], ends]);
  await speak(imap, [
    [`a LOGIN {${ann.length}+}\r\n${ann} {${password.length}}\r\n`, /^\+ .*\r\n/m],
    [`${password}\r\n`, /^a OK .*\r\n/m],
    ends,
  ]);
  await speak(imap, [[`a LOGIN ${bob} ${password}\r\nb LIST "" "of-bob"\r\n`, /^b OK .*\r\n/m], ends]);
  await speak(service.tcp('pop3'), [
    [`USER ${ann}\r\nPASS ${password}\r\n`, /^\+OK logged in.*\r\n/m],
    ['RETR 1\r\nTOP 1 5\r\nSTAT\r\n', /^\+OK 2 \d+\r\n/m],
    ['QUIT\r\n', /^\+OK.*\r\n/m],
  ]);
  await speak(service.tcp('pop3'), [
    [`AUTH PLAIN\r\n`, /^\+ .*\r\n/m],
    [`${plain}\r\nQUIT\r\n`, /^\+OK logged in.*\r\n\+OK.*\r\n/m],
  ]);
  await until('the last end', () => trace.stdout.split(' -- ended\n').length - 1 === 6);
  assert.equal(await trace.end(), 0);
  assertNoSecret(trace.stdout + trace.stderr);
  const shown = trace.stdout.replace(/^\d\d:\d\d:\d\d\.\d{3}Z [0-9a-f]{16} /gm, '');
  for (const line of [
    '-- imap from 127.0.0.1',
    'C: a LOGIN …',
    'C: b SELECT INBOX',
    'C: c FETCH 1 (FLAGS BODY.PEEK[])',
    `C: d APPEND INBOX {${message.length}}`,
    'C: … (18 octets, no command)',
    'S: … BAD …',
    'C: e LOGIN …',
    'C: z LOGOUT',
    'C: a AUTHENTICATE LOGIN …',
    'S: + …',
    'C: …',
    'C: a AUTHENTICATE PLAIN …',
    `C: USER ${ann}`,
    'C: PASS …',
    'C: RETR 1',
  ]) {
    assert.ok(shown.split('\n').includes(line), `${line} in ${shown}`);
  }
  assert.match(shown, /^S: \* 1 FETCH \(.*BODY\[\] \{\d+\}\nS: \(\d+ octets\)\nS: .*\)\nS: c OK /m);
  assert.match(
    shown,
    /^C: RETR 1\nS: \+OK .*\nS: \(\d+ octets\)\nC: TOP 1 5\nS: \+OK .*\nS: \(\d+ octets\)\nC: STAT\n/m,
  );
  assert.match(shown, /^S: a NO \[AUTHENTICATIONFAILED\]/m);
  assert.doesNotMatch(shown, /of-bob/);
});

test('a session that is open is shown from now on, also by its id, and as JSON; a second trace sees the same', async () => {
  await using service = await Service.start({ users: [ann], config: '[imap]\nworkers = 1\n' });
  const lines = Lines.open(service.tcp('imap'));
  lines.say(`a LOGIN ${ann} ${password}\r\nb SELECT INBOX\r\nc IDLE\r\n`);
  await lines.hears(/^\+ idling\r\n/m);
  const [row] = JSON.parse((await service.mstore(['who', '--json'])).stdout).sessions;
  const byLogin = await Trace.begin(service, ann);
  const byId = await Trace.begin(service, row.id, '--json');
  await service.deliver({ recipients: [ann], message: Buffer.from(message) });
  await byLogin.shows(/ S: \* 1 EXISTS\n/);
  lines.say('DONE\r\nd NOOP\r\n');
  await byId.shows(/"text":"d NOOP"/);
  assert.equal(await byLogin.end(), 0);
  lines.say('e LOGOUT\r\n');
  await byId.shows(/"text":"ended"/);
  assert.equal(await byId.end(), 0);
  const rows = byId.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.ok(rows.every(({ session, protocol }) => session === row.id && protocol === 'imap'));
  assert.deepEqual(
    rows.filter(({ side }) => side === 'client').map(({ text }) => text),
    ['DONE', 'd NOOP', 'e LOGOUT'],
  );
  assertNoSecret(byLogin.stdout + byId.stdout);
});

test('an LMTP session is shown by its id, without the message', async () => {
  await using service = await Service.start({ users: [ann] });
  const byLogin = await Trace.begin(service, ann);
  const lines = Lines.open(service.tcp('lmtp'));
  await lines.hears(/^220 .*\r\n/);
  const [row] = JSON.parse((await service.mstore(['who', '--json'])).stdout).sessions;
  const trace = await Trace.begin(service, row.id);
  lines.say('LHLO mx.example.net\r\n');
  await lines.hears(/^250 .*\r\n/m);
  lines.say(`MAIL FROM:<a@example.net>\r\nRCPT TO:<${ann}>\r\nDATA\r\n`);
  await lines.hears(/^354 .*\r\n/m);
  lines.say(`${message}.\r\n${body}QUIT\r\n`);
  await lines.ends();
  await trace.shows(/ -- ended\n/);
  const shown = trace.stdout.replace(/^\d\d:\d\d:\d\d\.\d{3}Z [0-9a-f]{16} /gm, '');
  assert.match(shown, /^C: DATA\nS: 354 .*\nS: 250 .*\nC: … \(34 octets, no command\)\nS: 500 .*\nC: QUIT\nS: 221 /m);
  assert.equal(await trace.end(), 0);
  assert.equal(await byLogin.end(), 0);
  assert.equal(byLogin.stdout, '');
  assertNoSecret(trace.stdout);
});

test('a trace goes on where a process ends and another begins, and ends with the service', async () => {
  await using service = await Service.start({ users: [ann], config: '[imap]\nworkers = 1\n' });
  const trace = await Trace.begin(service, 'ANN@example.org');
  const [pid] = [service.ready.pids.imap].flat();
  process.kill(pid ?? 0, 'SIGKILL');
  const say = (tag: string): Promise<void> =>
    speak(service.tcp('imap'), [[`a LOGIN ${ann} ${password}\r\n${tag} LOGOUT\r\n`, new RegExp(`^${tag} OK`, 'm')]]);
  await until('the next process is traced', async () => {
    await say('again').catch(() => undefined);
    return trace.stdout.includes('C: again LOGOUT');
  });
  assert.equal(await service.stop(), 0);
  await until('the end', () => trace.stderr.includes('ended the trace'));
});

test('traces leave room for questions: the ninth is refused', async () => {
  await using service = await Service.start({ users: [ann], listen: ['lmtp=127.0.0.1:0'] });
  const traces = await Promise.all(Array.from({ length: 8 }, () => Trace.begin(service, ann)));
  const { code, stderr } = await service.mstore(['trace', ann]);
  assert.deepEqual([code, stderr], [75, 'mstore: the service says: too many traces at a time\n']);
  assert.equal((await service.mstore(['who'])).stdout, 'no sessions\n');
  for (const trace of traces) assert.equal(await trace.end(), 0);
});

test('without a service, trace exits 69 with one line', async () => {
  await using service = await Service.prepare({ users: [ann] });
  const { code, stderr } = await service.mstore(['trace', ann]);
  assert.deepEqual([code, stderr], [69, `mstore: no service runs in ${service.directory}\n`]);
});

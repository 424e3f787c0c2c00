/** FETCH BINARY (RFC 3516) of parts that are large, whole and in pieces, whatever the store made of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';
import { seededRandom } from '../support/random.ts';

const user = 'ann@example.org';

/** The octets of a literal behind a label, binary or not. */
function literalOf(line: string, label: string): Buffer {
  const at = line.indexOf(`${label} `);
  const literal = /^~?\{(\d+)\}\r\n/.exec(line.slice(at + label.length + 1));
  assert.ok(at !== -1 && literal !== null, `no ${label} in ${line.slice(0, 200)}`);
  const from = at + label.length + 1 + literal[0].length;
  return Buffer.from(line.slice(from, from + Number(literal[1])), 'latin1');
}

function randomOctets(bytes: number): Buffer {
  const random = seededRandom(7);
  return Buffer.from(Uint8Array.from({ length: bytes }, () => Math.floor(random.next() * 256)));
}

const content = randomOctets(1_000_000);
const base64 = content.toString('base64');
const lines = (columns: number): string => base64.replace(new RegExp(`.{${columns}}`, 'g'), '$&\r\n');
const quoted = [...content].map((octet) => `=${octet.toString(16).toUpperCase().padStart(2, '0')}`).join('');

/** As they are written, and what is stored of them. */
const bodies = {
  'kept decoded': ['base64', lines(76)],
  'kept decoded, unbroken': ['base64', base64],
  'kept as it is, with blanks': ['base64', lines(76).replaceAll('\r\n', ' \r\n')],
  'kept partly decoded': ['base64', `${lines(76).slice(0, 780_000)}!${lines(76).slice(780_000)}`],
  'quoted-printable': ['quoted-printable', quoted.replace(/.{75}/g, '$&=\r\n')],
} as const;

for (const [name, [encoding, body]] of Object.entries(bodies)) {
  test(`a large part that is ${name} comes as its content`, async () => {
    await using daemons = await Daemons.start();
    await daemons.addUser(user);
    const head = `Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`;
    await daemons.deliver(user, Buffer.from(head + body, 'latin1'));
    const client = await ImapClient.logIn(daemons.address('imap'), user);
    await client.ok('SELECT INBOX');
    const [line = ''] = await client.ok('FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])');
    assert.match(line, /\(BINARY\.SIZE\[1\] 1000000 BINARY\[1\] ~\{1000000\}\r\n/);
    assert.ok(literalOf(line, 'BINARY[1]').equals(content));
    for (const [offset, bytes] of [
      [0, 10],
      [262_143, 3],
      [700_001, 299_999],
      [999_990, 1_000],
      [2_000_000, 5],
    ] as const) {
      const [part = ''] = await client.ok(`FETCH 1 BINARY.PEEK[1]<${offset}.${bytes}>`);
      assert.ok(literalOf(part, `BINARY[1]<${offset}>`).equals(content.subarray(offset, offset + bytes)));
    }
    client.close();
  });
}

test('parts of a message with trace lines on top are found below them', async () => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const body = lines(76).slice(0, 78_000);
  const head = 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n';
  const lmtp = await daemons.connect('lmtp');
  const command = `LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<${user}>\r\nDATA\r\n${head}${body}--b--\r\n.\r\nQUIT\r\n`;
  await lmtp.write(command);
  assert.match((await lmtp.rest()).toString(), /\r\n250 2\.1\.5 /);
  lmtp.kill();
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('SELECT INBOX');
  const [line = ''] = await client.ok('FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1] BINARY.PEEK[]<0.12>)');
  assert.ok(literalOf(line, 'BINARY[1]').equals(content.subarray(0, 57_000)));
  assert.match(line, /BINARY\.SIZE\[1\] 57000 .* BINARY\[\]<0> \{12\}\r\nReturn-Path:\)$/s);
  client.close();
});

test('the size of a part that is kept decoded is told without a look at it', async () => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const head = 'Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n';
  await daemons.deliver(user, Buffer.from(head + lines(76), 'latin1'));
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('SELECT INBOX');
  const before = daemons.imapReading.heapCounters.readBytes;
  assert.deepEqual(await client.ok('FETCH 1 BINARY.SIZE[1]'), ['* 1 FETCH (BINARY.SIZE[1] 1000000)']);
  assert.ok(daemons.imapReading.heapCounters.readBytes - before < 10_000);
  client.close();
});

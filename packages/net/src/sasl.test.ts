import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isPeerError, type PeerErrorCode } from './errors.ts';
import { limits } from './limits.ts';
import { findMechanism, SaslDialogue, type SaslMechanism, type SaslTurn } from './sasl.ts';
import { saslLogin } from './sasl-login.ts';
import { saslPlain } from './sasl-plain.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Plays the client's lines; an undefined first line is a command without initial response. */
async function play(mechanism: SaslMechanism, initial: string | undefined, ...lines: string[]): Promise<SaslTurn[]> {
  const dialogue = new SaslDialogue(mechanism);
  const turns = [await dialogue.begin(initial)];
  for (const line of lines) turns.push(await dialogue.answer(Buffer.from(line)));
  return turns;
}

const refuses = (code: PeerErrorCode, playing: Promise<unknown>): Promise<void> =>
  assert.rejects(playing, (error) => isPeerError(error, code));

const anna = { kind: 'password', login: 'anna', password: 'secret', authorization: undefined };

test('PLAIN takes its response with the command or after an empty challenge', async () => {
  assert.deepEqual(await play(saslPlain, base64('\0anna\0secret')), [anna]);
  assert.deepEqual(await play(saslPlain, undefined, base64('\0anna\0secret')), [
    { kind: 'challenge', base64: '' },
    anna,
  ]);
});

test('PLAIN names whom to act as, unless it is the login itself', async () => {
  assert.deepEqual(await play(saslPlain, base64('bert\0anna\0secret')), [{ ...anna, authorization: 'bert' }]);
  assert.deepEqual(await play(saslPlain, base64('anna\0anna\0secret')), [anna]);
});

test('PLAIN keeps what UTF-8 a password holds', async () => {
  const [turn] = await play(saslPlain, base64('\0änna\0 pass wörd\u{1f511}\ufeff'));
  assert.deepEqual(turn, { ...anna, login: 'änna', password: ' pass wörd\u{1f511}\ufeff' });
});

test('PLAIN refuses what is not its three fields', async () => {
  for (const response of ['', 'anna', 'anna\0secret', '\0\0secret', '\0anna\0', '\0anna\0secret\0', '\0anna\0\0']) {
    await refuses('saslMalformed', play(saslPlain, base64(response)));
  }
  await refuses('saslMalformed', play(saslPlain, Buffer.from([0, 0xff, 0, 0x61]).toString('base64')));
  await refuses('saslMalformed', play(saslPlain, '='));
});

test('names and passwords are read up to their bounds', async () => {
  const login = 'l'.repeat(limits.loginBytes);
  const password = 'p'.repeat(limits.passwordBytes);
  assert.deepEqual(await play(saslPlain, base64(`\0${login}\0${password}`)), [{ ...anna, login, password }]);
  await refuses('saslMalformed', play(saslPlain, base64(`\0${login}l\0${password}`)));
  await refuses('saslMalformed', play(saslPlain, base64(`\0${login}\0${password}p`)));
});

test('LOGIN asks for the login and the password, with the words all clients know', async () => {
  assert.deepEqual(await play(saslLogin, undefined, base64('anna'), base64('secret')), [
    { kind: 'challenge', base64: 'VXNlcm5hbWU6' },
    { kind: 'challenge', base64: 'UGFzc3dvcmQ6' },
    anna,
  ]);
});

test('LOGIN takes the login with the command', async () => {
  assert.deepEqual(await play(saslLogin, base64('anna'), base64('secret')), [
    { kind: 'challenge', base64: 'UGFzc3dvcmQ6' },
    anna,
  ]);
  await refuses('saslMalformed', play(saslLogin, '='));
  await refuses('saslMalformed', play(saslLogin, base64('anna'), ''));
});

test('a star gives up, at any turn', async () => {
  await refuses('saslAborted', play(saslPlain, undefined, '*'));
  await refuses('saslAborted', play(saslLogin, base64('anna'), '*'));
});

test('what is not strict base64, or too much of it, is refused', async () => {
  for (const line of ['a', 'YQ', 'YQ=', 'Y Q=', 'YR==', 'YQ==\t', '====', 'YQ==YQ==', 'YQ-_']) {
    await refuses('saslMalformed', play(saslLogin, undefined, line));
  }
  await refuses('saslMalformed', play(saslLogin, undefined, 'AAAA'.repeat(limits.saslLineBytes / 4 + 1)));
});

test('mechanisms are found in any case', () => {
  assert.equal(findMechanism([saslPlain, saslLogin], 'login'), saslLogin);
  assert.equal(findMechanism([saslPlain], 'LOGIN'), undefined);
});

test('no line breaks an exchange but with a PeerError', async () => {
  const line = fc.oneof(fc.string(), fc.base64String(), fc.constantFrom('=', '*', ''));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(saslPlain, saslLogin),
      fc.option(line, { nil: undefined }),
      fc.array(line, { maxLength: 3 }),
      async (mechanism, initial, lines) => {
        try {
          await play(mechanism, initial, ...lines);
        } catch (error) {
          assert.ok(isPeerError(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from './limits.ts';
import { type ContentForm, SessionTrace, TraceGathering } from './trace.ts';

const ann = 'ann@example.org';

function traced(
  form: ContentForm,
  isUnderWay: boolean = false,
): { readonly trace: SessionTrace; readonly gathering: TraceGathering } {
  const trace = new SessionTrace({ id: '1', protocol: 'test', form, now: () => 5, isUnderWay });
  const gathering = new TraceGathering([ann], 0);
  return { trace, gathering };
}

function lines(gathering: TraceGathering): string[] {
  return gathering.take().rows.map(({ side, text }) => `${side} ${text}`);
}

/** Every way to cut a text in two, and octet by octet. */
function cuts(text: string): string[][] {
  return [[...text], ...Array.from(text, (_, at) => [text.slice(0, at), text.slice(at)])];
}

test('of literals only the length is told, however the octets are cut', () => {
  const text = '* 1 FETCH (BODY[] {14}\r\nsecret\r\nsecret FLAGS ())\r\na OK done\r\n';
  for (const pieces of cuts(text)) {
    const { trace, gathering } = traced('literals');
    trace.join(gathering);
    for (const piece of pieces) trace.said(Buffer.from(piece));
    assert.deepEqual(lines(gathering), [
      'server * 1 FETCH (BODY[] {14}',
      'server (14 octets)',
      'server  FLAGS ())',
      'server a OK done',
    ]);
  }
});

test('of a message in dotted lines only the length is told, however the octets are cut', () => {
  for (const body of ['secret\r\n..\r\n.secret\r\n\r\n', '', '..\r\n']) {
    for (const pieces of cuts(`+OK follows\r\n${body}.\r\n+OK next {3}\r\n+OK\r\n`)) {
      const { trace, gathering } = traced('dotted');
      trace.join(gathering);
      trace.sendsMessage();
      for (const piece of pieces) trace.said(piece);
      const octets = `(${body.length + 3} octets)`;
      const shown = ['server +OK follows', `server ${octets}`, 'server +OK next {3}', 'server +OK'];
      assert.deepEqual(lines(gathering), shown, JSON.stringify(pieces));
    }
  }
});

test('a refusal in place of a message is shown, and what comes behind it', () => {
  const { trace, gathering } = traced('dotted');
  trace.join(gathering);
  trace.sendsMessage();
  trace.said('-ERR no such message\r\n+OK 0 0\r\n');
  assert.deepEqual(lines(gathering), ['server -ERR no such message', 'server +OK 0 0']);
});

test('what is hidden is shown as something else, and what comes behind it as it is', () => {
  const { trace, gathering } = traced('literals');
  trace.join(gathering);
  trace.hides('+ …');
  trace.said('+ c2VjcmV0\r\n');
  trace.heard('…');
  trace.said('a OK in\r\n');
  assert.deepEqual(lines(gathering), ['server + …', 'client …', 'server a OK in']);
});

test('who joins in the middle of an answer sees nothing before the next command', () => {
  const { trace, gathering } = traced('literals', true);
  trace.join(gathering);
  trace.hides('+ …');
  trace.said('rest of a secret message\r\n');
  trace.heard('b NOOP');
  trace.said('b OK\r\n');
  assert.deepEqual(lines(gathering), ['client b NOOP', 'server b OK']);
});

test('who joins once the login is known gets what came before, to a bound', () => {
  const { trace, gathering } = traced('literals');
  for (let count = 0; count < 2 * limits.traceRowsBefore; count += 1) trace.heard(`${count} NOOP`);
  trace.join(gathering);
  trace.settle();
  trace.heard('last');
  const seen = lines(gathering);
  assert.equal(seen.length, limits.traceRowsBefore + 1);
  assert.deepEqual([seen[0], seen.at(-1)], ['client 0 NOOP', 'client last']);
  const late = new TraceGathering([ann], 0);
  trace.join(late);
  assert.deepEqual(lines(late), []);
});

test('lines that nobody fetches are lost beyond a bound, and counted', () => {
  const { trace, gathering } = traced('literals');
  trace.join(gathering);
  for (let count = 0; count < limits.traceRows + 7; count += 1) trace.heard('NOOP');
  const { rows, lost } = gathering.take();
  assert.deepEqual([rows.length, lost], [limits.traceRows, 7]);
  assert.deepEqual(gathering.take(), { rows: [], lost: 0 });
});

test('long lines are shown to a bound, with their length, and a literal behind them is still one', () => {
  const { trace, gathering } = traced('literals');
  trace.join(gathering);
  const long = 'x'.repeat(limits.traceLineBytes);
  trace.heard(Buffer.from(`${long}yz`));
  for (const piece of [long, `${long} {6}\r`, '\nsecret)\r\n']) trace.said(piece);
  const bytes = 2 * limits.traceLineBytes + 4;
  assert.deepEqual(lines(gathering), [
    `client ${long}… (${limits.traceLineBytes + 2} octets)`,
    `server ${long}… (${bytes} octets)`,
    'server (6 octets)',
    'server )',
  ]);
});

test('a claimed login is recognised in any case, and without its domain', () => {
  const { gathering } = traced('literals');
  const claims = ['ANN@example.org', 'ann', 'Ann', 'bob', '', 'an', 'ann@example.net', '@', 'x'.repeat(10_000)];
  assert.deepEqual(
    claims.filter((claim) => gathering.mayWant(claim)),
    ['ANN@example.org', 'ann', 'Ann'],
  );
});

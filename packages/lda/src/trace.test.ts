import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from './limits.ts';
import { mailDate, TraceLines } from './trace.ts';

const time = Date.UTC(2026, 10, 2, 4, 5, 6);
const trace = {
  id: '0123456789abcdef',
  sender: 'sender@example.org',
  protocol: 'LMTP',
  peerName: 'mx.example.org',
  peerAddress: '192.0.2.1',
};

function lines(given: string, changed: Partial<typeof trace> = {}): string[] {
  return new TraceLines('store.test', { ...trace, ...changed }, time).for(given).toString().split('\r\n');
}

test('dates are in UTC, whatever the machine’s time is', () => {
  assert.equal(mailDate(time), 'Mon, 02 Nov 2026 04:05:06 +0000');
  assert.equal(mailDate(0), 'Thu, 01 Jan 1970 00:00:00 +0000');
});

test('Return-Path, Delivered-To and Received stand on top of each other', () => {
  assert.deepEqual(lines('Anna+x@Example.NET'), [
    'Return-Path: <sender@example.org>',
    'Delivered-To: Anna+x@Example.NET',
    'Received: from mx.example.org ([192.0.2.1])',
    '\tby store.test with LMTP id 0123456789abcdef',
    '\tfor <Anna+x@Example.NET>; Mon, 02 Nov 2026 04:05:06 +0000',
    '',
  ]);
});

test('a null sender is an empty path, and what is not known of the peer is left out', () => {
  assert.equal(lines('a@b', { sender: '' })[0], 'Return-Path: <>');
  assert.equal(lines('a@b', { peerAddress: '' })[2], 'Received: from mx.example.org');
  assert.equal(lines('a@b', { peerName: '' })[2], 'Received: from unknown ([192.0.2.1])');
  assert.equal(lines('a@b', { peerAddress: '2001:db8::1' })[2], 'Received: from mx.example.org ([IPv6:2001:db8::1])');
  const local = lines('a@b', { protocol: 'local', peerName: '', peerAddress: '' });
  assert.equal(local[2], 'Received: by store.test with local id 0123456789abcdef');
  assert.equal(local.length, 5);
});

test('nothing that was given begins a line, ends the address, or grows without bound', () => {
  const hostile = 'a\r\nX-Evil: 1\n\0\u0085\u2028\ud800@b';
  const given = lines(hostile, { sender: hostile, peerName: 'mx) by evil; x\r\n(' });
  assert.equal(given.length, 6);
  assert.equal(given[0], 'Return-Path: <aX-Evil: 1@b>');
  assert.equal(given[1], 'Delivered-To: aX-Evil: 1@b');
  assert.equal(given[2], 'Received: from mx??by?evil??x??? ([192.0.2.1])');
  for (const line of lines('x'.repeat(5_000), { sender: 'y'.repeat(5_000), peerName: 'z'.repeat(5_000) })) {
    assert.ok(line.length <= 998, `${line.length}`);
  }
  assert.equal(lines('x'.repeat(5_000))[1]?.length, 'Delivered-To: '.length + limits.traceAddressLength);
});

/** Looking into a running service: who, kick, the page for Prometheus. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { mstore } from '../cli/command.ts';
import { Lines, ServedStore, until } from './service.ts';

const listen = [
  '--listen',
  'lmtp=unix:run/lmtp.sock',
  '--listen',
  'pop3=127.0.0.1:0',
  '--listen',
  'metrics=127.0.0.1:0',
];

interface WhoRow {
  readonly protocol: string;
  readonly login: string;
  readonly remote: string;
  readonly id: string;
  readonly pid: number;
}

async function who(directory: string): Promise<readonly WhoRow[]> {
  const ran = await mstore(['who', '--json', '--data', directory]);
  assert.equal(ran.code, 0, ran.stderr);
  return JSON.parse(ran.stdout.toString()).sessions;
}

test('who lists the sessions of all processes, and kick ends those of a login or one by its id', async () => {
  await using store = await ServedStore.make();
  const service = store.pretend(...listen);
  const { lmtp, pop3, pids } = await service.ready();
  const mta = Lines.open(lmtp[0]);
  await mta.hears(/^writer/);
  const sessions = ['ada', 'ada', 'grace@example.org'].map((login) => ({ login, lines: Lines.open(pop3[0]) }));
  for (const { login, lines } of sessions) {
    lines.say(`login ${login}\n`);
    await lines.hears(/login/);
  }
  const rows = await who(store.directory);
  const shown = rows.map(({ protocol, login, pid }) => [protocol, login, pid]).sort();
  const [pop3Pid] = pids.pop3;
  assert.deepEqual(shown, [
    ['pop3', 'ada', pop3Pid],
    ['pop3', 'ada', pop3Pid],
    ['pop3', 'grace@example.org', pop3Pid],
    ['writer', '', pids.writer],
  ]);
  const text = (await mstore(['who', '--data', store.directory])).stdout.toString();
  assert.match(
    text,
    /^pop3 +grace@example\.org +127\.0\.0\.1:\d+ +2\d{3}-\d\d-\d\d \d\d:\d\d:\d\dZ +[0-9a-f]{16} +pop3 \d+ +-$/m,
  );
  const kick = async (whom: string): Promise<readonly [number | null, string]> => {
    const { code, stdout } = await mstore(['kick', whom, '--data', store.directory]);
    return [code, stdout.toString()];
  };
  assert.deepEqual(await kick('ada'), [0, '2 sessions ended\n']);
  await sessions[0]?.lines.ends();
  await sessions[1]?.lines.ends();
  await until('no session of ada', async () => (await who(store.directory)).every(({ login }) => login !== 'ada'));
  assert.deepEqual(await kick('ada'), [1, 'no session of ada\n']);
  assert.deepEqual(await kick('Grace@EXAMPLE.org'), [0, '1 session ended\n']);
  await sessions[2]?.lines.ends();
  const id = rows.find(({ protocol }) => protocol === 'writer')?.id ?? '';
  assert.deepEqual(await kick(id), [0, '1 session ended\n']);
  await mta.ends();
});

test('without a service, who and kick exit 69 with one line', async () => {
  await using store = await ServedStore.make();
  for (const args of [['who'], ['kick', 'ada']]) {
    const ran = await mstore([...args, '--data', store.directory]);
    assert.equal(ran.code, 69);
    assert.equal(ran.stderr, `mstore: no service runs in ${store.directory}\n`);
  }
});

test('a process that does not answer is named, and left out of the page', async () => {
  await using store = await ServedStore.make();
  const service = store.pretend(...listen);
  const ready = await service.ready();
  const page = async (): Promise<string> => (await fetch(`http://${ready.metrics[0]}/metrics`)).text();
  for (const address of [ready.lmtp[0], ready.pop3[0]]) {
    const lines = Lines.open(address);
    lines.say('one\n');
    await lines.hears(/one/);
  }
  const whole = await page();
  assert.match(whole, /^mstore_lines_total 2$/m);
  for (const name of ['writer', 'pop3']) {
    assert.match(whole, new RegExp(`^mstore_child_up\\{child="${name}"\\} 1$`, 'm'));
    assert.match(whole, new RegExp(`^mstore_child_restarts\\{child="${name}"\\} 0$`, 'm'));
  }
  for (const name of ['supervisor', 'writer', 'pop3']) {
    assert.match(whole, new RegExp(`^process_resident_memory_bytes\\{process="${name}"\\} \\d+$`, 'm'));
  }
  writeFileSync(join(store.directory, 'pretend.json'), JSON.stringify({ pop3: 'mute' }));
  const partial = await page();
  assert.match(partial, /^mstore_lines_total 1$/m);
  assert.match(partial, /^mstore_metrics_left_out_total\{child="pop3"\} 1$/m);
  const { stderr, code } = await mstore(['who', '--data', store.directory]);
  assert.deepEqual([code, stderr], [0, 'mstore: no answer from pop3\n']);
});

test('the control socket refuses what is no question, and lines without end', async () => {
  await using store = await ServedStore.make();
  await store.pretend(...listen).ready();
  const ask = async (text: string): Promise<string> => {
    const socket = connect(join(store.directory, 'run/control.sock'));
    let heard = '';
    socket.on('data', (octets: Buffer) => {
      heard += octets.toString();
    });
    socket.on('error', () => socket.destroy());
    socket.end(text);
    await until('the end', () => socket.closed);
    return heard;
  };
  for (const text of ['what?\n', '{"ask":"all"}\n', '{"ask":"kick"}\n', '[]\n', 'null\n']) {
    assert.match(await ask(text), /^\{"problem":"[^\n]+\}\n$/, text);
  }
  assert.doesNotMatch(await ask('x'.repeat(100_000)), /done/);
  assert.match(await ask('{"ask":"who"}\n'), /^\{"done":true,"silent":\[\]\}\n$/);
});

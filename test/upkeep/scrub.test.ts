/** Scrub: what it finds and whom it names, how it goes on where it stopped, and that it keeps to its rate. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStoreError, repair, type ScrubPass, scrub, scrubState } from '@mstore/store';
import { systemClock } from '@mstore/store/internal/sys/clock';
import {
  findingsOf,
  flipped,
  makeScene,
  replaceFile,
  type Scene,
  sceneOptions,
  segmentPath,
} from '../support/damage-scene.ts';
import { type SimMachine, simDirectory } from '../support/sim-machine.ts';

const scene: Scene = await makeScene();

function pass(machine: SimMachine, options: Parameters<typeof scrub>[1] = {}): Promise<ScrubPass> {
  return scrub(simDirectory, { ...sceneOptions(machine), ...options });
}

test('a sound heap is read to its end, and nothing is found', async () => {
  const machine = scene.machine.restart();
  assert.deepEqual(await scrubState(machine.ports.fs, simDirectory), {});
  const done = await pass(machine);
  assert.deepEqual(done.findings, []);
  assert.ok(done.ended > 0 && done.readBytes > 1_100_000);
  assert.deepEqual((await scrubState(machine.ports.fs, simDirectory)).last, done);
});

test('a finding names segment, record, account, mailbox and UIDs', async () => {
  const record = scene.records.find(({ kind, payloadBytes }) => kind === 'PART' && payloadBytes >= 6_000);
  assert.ok(record !== undefined);
  const machine = await flipped(scene, record.segment, [(record.offset + record.headBytes + 100) * 8]);
  const told: string[] = [];
  const { findings } = await pass(machine, { onFinding: ({ text }) => void told.push(text) });
  assert.equal(findings.length, 1);
  const [finding] = findings;
  assert.equal(finding?.state, 'badChecksum');
  const { segment, offset, lsn, bytes } = record;
  assert.deepEqual(finding?.place, { segment, offset, lsn, bytes, record: 'PART' });
  const [concerned] = finding?.concerned ?? [];
  // The part that two deliveries brought.
  assert.deepEqual(
    [concerned?.accountName, concerned?.mailboxName, concerned?.uids],
    ['ann@example.org', 'INBOX', '2,8'],
  );
  assert.deepEqual(told, [finding?.text]);
});

test('a chunk names the message that its part belongs to, an ENTRY its own', async () => {
  for (const [kind, uids] of [
    ['chunk', '3'],
    ['closing', '3'],
    ['ENTRY', '1'],
    ['MESSAGE', '1'],
  ] as const) {
    const record = scene.records.find((one) => one.kind === kind);
    assert.ok(record !== undefined);
    const machine = await flipped(scene, record.segment, [record.offset * 8 + 70]);
    const { findings } = await pass(machine);
    assert.deepEqual(
      findings.flatMap(({ concerned = [] }) => concerned.map((one) => one.uids)),
      [uids],
      kind,
    );
  }
});

test('a pass that was stopped goes on where it was, and keeps what it had found', async () => {
  const first = scene.records.find(({ kind }) => kind === 'ENTRY');
  assert.ok(first !== undefined);
  const machine = await flipped(scene, first.segment, [first.offset * 8 + 70]);
  const stop = new AbortController();
  const half = await pass(machine, {
    signal: stop.signal,
    onProgress: (done, total) => void (done > total / 2 && stop.abort()),
  });
  assert.equal(half.ended, 0);
  assert.equal(half.findings.length, 1);
  const again: number[] = [];
  const next = machine.restart();
  const whole = await pass(next, { onProgress: (done) => void again.push(done) });
  assert.ok((again[0] ?? 0) > half.readBytes, 'it does not begin anew');
  assert.equal(whole.begun, half.begun);
  assert.ok(whole.ended > 0);
  assert.deepEqual(whole.findings, half.findings);
  assert.deepEqual(await scrubState(next.ports.fs, simDirectory), { last: whole });
});

test('two passes at once: the second is refused', async () => {
  const machine = scene.machine.restart();
  let refused: unknown;
  const running = pass(machine, {
    onProgress: () => {
      if (refused !== undefined) return;
      refused = pass(machine).catch((error: unknown) => error);
    },
  });
  await running;
  assert.ok(isStoreError(await refused, 'locked'));
});

test('a pass takes as long as its rate says', async () => {
  const machine = scene.machine.restart();
  const ports = { ...machine.ports, clock: systemClock };
  const start = systemClock.monotonic();
  const { readBytes } = await scrub(simDirectory, { ports, rateBytes: 4_000_000 });
  const tookMs = systemClock.monotonic() - start;
  assert.ok(tookMs >= readBytes / 4_000 - 20, `${readBytes} octets in ${tookMs} ms`);
});

test('damage that a repair passed over is not found again', async () => {
  const event = scene.records.findLast(({ kind, segment }) => kind === 'EVENT' && segment === 1);
  assert.ok(event !== undefined);
  const at = (event.offset + event.headBytes) * 8;
  const machine = await flipped(scene, 1, [at, at + 19, at + 37]);
  assert.equal((await pass(machine)).findings.length, 1);
  await repair(simDirectory, sceneOptions(machine));
  assert.deepEqual(await scrubState(machine.ports.fs, simDirectory), {}, 'what was found is repaired');
  assert.deepEqual((await pass(machine)).findings, []);
});

test('places that were passed over are forgotten when their segment is gone', async () => {
  const event = scene.records.findLast(({ kind, segment }) => kind === 'EVENT' && segment === 1);
  assert.ok(event !== undefined);
  const at = (event.offset + event.headBytes) * 8;
  const machine = await flipped(scene, 1, [at, at + 19, at + 37]);
  await repair(simDirectory, sceneOptions(machine));
  const path = `${simDirectory}/lost+found/passed-over.json`;
  const segments = (): number[] => {
    const kept: { places: { segment: number }[] } = JSON.parse(machine.disk.contents(path).toString());
    return kept.places.map(({ segment }) => segment);
  };
  assert.deepEqual(segments(), [1]);
  await pass(machine);
  assert.deepEqual(segments(), [1]);
  const before = machine.disk.contents(path);
  await machine.ports.fs.unlink(segmentPath(1));
  await repair(simDirectory, sceneOptions(machine));
  assert.deepEqual(segments(), []);
  await replaceFile(machine, path, before);
  await pass(machine);
  assert.deepEqual(segments(), []);
  assert.deepEqual(await findingsOf(machine), []);
});

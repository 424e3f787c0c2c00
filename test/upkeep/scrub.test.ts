/** Scrub: what it finds and whom it names, how it goes on where it stopped, and that it keeps to its rate. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { isStoreError, repair, type ScrubPass, scrub, scrubState, UidSet } from '@mstore/store';
import { Heap } from '@mstore/store/internal/heap/heap';
import { systemClock } from '@mstore/store/internal/sys/clock';
import { readThrough } from '@mstore/store/internal/upkeep/read-through';
import { heapPorts, machinePorts } from '@mstore/store/internal/writer/store-directory';
import { newAccount } from '../support/account.ts';
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
import { tempStore } from '../support/temp-store.ts';

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

/** Files below a folder that are open in this process and have no name any more. */
function heldFiles(directory: string): string[] {
  const target = (name: string): string => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return '';
    }
  };
  return readdirSync('/proc/self/fd')
    .map(target)
    .filter((path) => path.startsWith(directory) && path.endsWith(' (deleted)'));
}

test('a pass does not hold the files of segments that were compacted behind it', async () => {
  await using temp = await tempStore({ segmentBytes: 16_384 });
  const { store } = temp;
  const { inbox } = await newAccount(store);
  for (let n = 0; store.heap.segments().length < 4; n++) {
    const message = await store.take(Buffer.from(`Subject: ${n}\r\n\r\n${`${n} `.repeat(30)}\r\n`));
    await store.append(inbox, [{ message, flags: 0, keywords: [] }]);
  }
  await store.settle();
  const [first, second, third] = store.heap.segments();
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const old = [...store.catalog().entries(inbox)].filter(({ lsn }) => lsn < first.endLsn).map(({ uid }) => uid);
  const reader = await Heap.openForReading(heapPorts(machinePorts), temp.directory);
  const held: number[] = [];
  const compact = async (): Promise<void> => {
    await store.expunge(inbox, UidSet.of(old), false);
    await store.purge(inbox, UidSet.of(old));
    assert.deepEqual((await store.compact({ minGarbage: 0.5, maxRate: 0 })).segments, [first.number]);
    await store.dropRetired(true);
  };
  let isCompacted = false;
  await readThrough(
    { catalog: () => store.catalog(), heap: reader },
    {
      from: first.baseLsn,
      clock: systemClock,
      rateBytes: 0,
      onBad: ({ text }) => assert.fail(text),
      onAdvance: async (lsn) => {
        if (lsn > second.baseLsn && !isCompacted) {
          isCompacted = true;
          await compact();
        }
        if (lsn > third.baseLsn) held.push(heldFiles(temp.directory).length);
      },
    },
  );
  await reader.close();
  assert.ok(held.length > 0);
  assert.deepEqual(new Set(held), new Set([0]));
});

/** Damage to whole segments: the last one cut anywhere, two swapped, one deleted, an old one brought back, headers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStoreError, rebuild, repair, Store } from '@mstore/store';
import {
  copyHeap,
  damaged,
  findingsOf,
  flipped,
  mailOf,
  makeScene,
  replaceFile,
  restatedSegment,
  type Scene,
  sceneOptions,
  segmentPath,
} from '../support/damage-scene.ts';
import { counts } from '../support/long.ts';
import { type SimMachine, simDirectory } from '../support/sim-machine.ts';

const scene: Scene = await makeScene();
const newest = Math.max(...scene.records.map(({ segment }) => segment));

/** Cuts elsewhere than at the edges of records of which one is repaired. */
const repairStep = 7;

async function octetsOf(segment: number): Promise<Buffer> {
  return scene.machine.disk.contents(segmentPath(segment));
}

async function statesOf(machine: SimMachine): Promise<Set<string>> {
  return new Set((await findingsOf(machine)).map(({ state }) => state));
}

/** Repairs, and checks that nothing is wrong then, that the store goes on, and what became of the mail. Answers how many were replaced. */
async function repaired(machine: SimMachine, from?: string): Promise<number> {
  const { findings } = await repair(simDirectory, { ...sceneOptions(machine), ...(from !== undefined && { from }) });
  assert.deepEqual(
    findings.map(({ state, text }) => `${state}: ${text}`),
    [],
  );
  const store = await Store.open(simDirectory, sceneOptions(machine));
  const { account } = await store.createAccount('bob@example.org');
  const taken = await store.take(Buffer.from('Subject: new\r\n\r\nnew\r\n'));
  const [result] = await store.deliver(taken, [{ account, trace: Buffer.alloc(0) }]);
  assert.ok(result?.ok);
  await store.close();
  assert.deepEqual(await findingsOf(machine), []);
  const mail = await mailOf(machine);
  await machine.loseCatalog();
  await rebuild(simDirectory, sceneOptions(machine));
  assert.deepEqual(await findingsOf(machine), []);
  assert.deepEqual([...(await mailOf(machine))], [...mail], 'a rebuild gives the same');
  let replaced = 0;
  for (const [key, octets] of mail) {
    if (octets.includes('Subject: new')) continue;
    if (octets.includes('X-Mstore-Damaged')) replaced++;
    else assert.ok(octets.equals(scene.mail.get(key) ?? damaged), `${key} is not what it was`);
  }
  assert.equal(mail.size, scene.mail.size + 1, 'no message is gone');
  return replaced;
}

/** Nothing is opened that would give numbers again or take damage for the end of the log. */
async function assertNotOpened(machine: SimMachine): Promise<void> {
  await assert.rejects(Store.open(simDirectory, sceneOptions(machine)), (error: unknown) => {
    return isStoreError(error, 'lostLog') || isStoreError(error, 'corrupt');
  });
}

test('a last segment cut at any octet: noticed, and what lies before the cut stays as it was', async () => {
  const whole = await octetsOf(newest);
  assert.ok(whole.length > 12_000 && whole.length < 20_000, `${whole.length} octets`);
  const edges = new Set(scene.records.filter(({ segment }) => segment === newest).map(({ offset }) => offset));
  const isAtEdge = (end: number): boolean => edges.has(end - 1) || edges.has(end) || edges.has(end + 1);
  for (let end = 0; end < whole.length; end += counts(797, 1)) {
    const machine = scene.machine.restart();
    await replaceFile(machine, segmentPath(newest), whole.subarray(0, end));
    assert.ok((await statesOf(machine)).has('lostTail'), `cut at ${end}`);
    await assertNotOpened(machine);
    // A repair, a delivery and a rebuild take several times what it takes to notice.
    if (end % counts(1, repairStep) !== 0 && !isAtEdge(end)) continue;
    const inside = scene.records.filter((one) => one.segment === newest && one.kind === 'ENTRY' && one.offset >= end);
    const replaced = await repaired(machine);
    assert.ok(replaced >= inside.length && replaced <= 3, `cut at ${end}: ${replaced} replaced`);
  }
});

test('a cut segment that is not the last one: only mail behind the cut is concerned, and a backup brings it back', async () => {
  const whole = await octetsOf(1);
  for (const share of [0.2, 0.5, 0.999]) {
    const machine = scene.machine.restart();
    await replaceFile(machine, segmentPath(1), whole.subarray(0, Math.floor(whole.length * share)));
    assert.ok((await statesOf(machine)).has('corruptLog'));
    const other = machine.restart();
    await repaired(machine);
    await copyHeap(scene.machine, other, '/backup');
    assert.equal(await repaired(other, '/backup'), 0);
  }
});

test('two segments swapped get their names back, whichever they are', async () => {
  for (const [a, b] of [
    [1, restatedSegment],
    [restatedSegment, newest],
    [1, newest],
  ] as const) {
    const machine = scene.machine.restart();
    await replaceFile(machine, segmentPath(a), await octetsOf(b));
    await replaceFile(machine, segmentPath(b), await octetsOf(a));
    const findings = await findingsOf(machine);
    const texts = findings.map(({ text }) => text).join('\n');
    assert.match(texts, new RegExp(`the file of segment ${a} holds segment ${b}`));
    assert.equal(await repaired(machine), 0);
  }
});

test('a deleted segment: named, only its mail is concerned, and a backup brings it back', async () => {
  for (const gone of [1, restatedSegment]) {
    const machine = scene.machine.restart();
    await machine.ports.fs.unlink(segmentPath(gone));
    assert.ok((await statesOf(machine)).has('missingSegment'), `segment ${gone}`);
    const other = machine.restart();
    assert.ok((await repaired(machine)) >= 2);
    await copyHeap(scene.machine, other, '/backup');
    assert.equal(await repaired(other, '/backup'), 0);
  }
  const machine = scene.machine.restart();
  await machine.ports.fs.unlink(segmentPath(newest));
  assert.ok((await statesOf(machine)).has('lostTail'));
  await assertNotOpened(machine);
  assert.equal(await repaired(machine), 3);
});

test('an old segment brought back is named, and goes to lost+found when nothing needs it', async () => {
  const machine = scene.machine.restart();
  await machine.ports.fs.unlink(segmentPath(restatedSegment));
  const old = await octetsOf(restatedSegment);
  await repaired(machine);
  await replaceFile(machine, segmentPath(restatedSegment), old);
  assert.deepEqual([...(await statesOf(machine))], ['unlistedSegment']);
  const { findings } = await repair(simDirectory, sceneOptions(machine));
  assert.deepEqual(findings, []);
  assert.ok((await machine.disk.list(`${simDirectory}/lost+found`)).includes(`segment-${restatedSegment}`));
});

test('every bit of a segment header and its list: noticed, and turned back', async () => {
  for (const segment of [1, newest]) {
    const bytes = scene.records.find((one) => one.segment === segment)?.offset ?? 0;
    for (let bit = 0; bit < bytes * 8; bit += counts(71, 1)) {
      // Octets of the reserved fields are covered by the header's crc like all others.
      const machine = await flipped(scene, segment, [bit]);
      const isOldList = segment !== newest && bit >= 152 * 8;
      if (!isOldList) assert.ok((await findingsOf(machine)).length > 0, `segment ${segment}, bit ${bit}`);
      assert.equal(await repaired(machine), 0, `segment ${segment}, bit ${bit}`);
    }
  }
});

test('a header that is gone: its records are lost without a backup, and back with one', async () => {
  const bits = [60, 61, 70, 200, 300].map((octet) => octet * 8);
  for (const segment of [1, newest]) {
    const machine = await flipped(scene, segment, bits.slice(0, 3));
    assert.ok((await findingsOf(machine)).length > 0);
    const other = machine.restart();
    await copyHeap(scene.machine, other, '/backup');
    assert.equal(await repaired(other, '/backup'), 0);
    assert.ok((await repaired(machine)) >= 3);
  }
});

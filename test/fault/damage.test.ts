/**
 * Damage to the heap, bit by bit: each is noticed by a check that names the place, fails the messages that need it and no other,
 * and a repair ends with a clean store. One flipped bit is turned back, so that nothing at all is lost.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Concerned, type Finding, rebuild, repair, Store } from '@mstore/store';
import {
  copyHeap,
  damaged,
  findingsOf,
  flipped,
  type Mail,
  mailOf,
  makeScene,
  restatedSegment,
  type Scene,
  type SceneRecord,
  sceneOptions,
} from '../support/damage-scene.ts';
import { counts } from '../support/long.ts';
import { type SimMachine, simDirectory } from '../support/sim-machine.ts';

const scene: Scene = await makeScene();
const kinds = ['PART', 'chunk', 'closing', 'MESSAGE', 'ENTRY', 'EVENT', 'RESTATE', 'COMMIT'];
/** Bits between two that are flipped; each repair reads the heap some times. */
const bitStep = counts(17, 1);
const repairStep = counts(29, 1);

/** A record of a kind in a segment that is not the scene's last: what follows proves it. Of the RESTATEs the first, an entry's. */
function sampleOf(kind: string): SceneRecord | undefined {
  const isRestate = kind === 'RESTATE';
  const segment = isRestate ? restatedSegment : 1;
  return scene.records.filter((one) => one.kind === kind && one.segment === segment).at(isRestate ? 0 : -1);
}

function assertSame(mail: Mail, expected: Mail): void {
  assert.deepEqual([...mail.keys()], [...expected.keys()]);
  for (const [key, octets] of mail) assert.ok(octets.equals(expected.get(key) ?? damaged), `${key} is not what it was`);
}

/** Whatever can be read is what it was, and what cannot is named by a finding. */
function assertOnlyConcerned(mail: Mail, findings: readonly Finding[]): void {
  const named = new Set(findings.flatMap(({ concerned = [] }) => concerned.flatMap(namesOf)));
  for (const [key, octets] of mail) {
    if (octets.equals(damaged)) assert.ok(named.has(key), `${key} cannot be read, and no finding says so`);
    else assert.ok(octets.equals(scene.mail.get(key) ?? damaged), `${key} is not what it was`);
  }
}

function namesOf({ mailboxName, uids }: Concerned): string[] {
  return uids.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split(':').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => `${mailboxName} ${first + at}`);
  });
}

async function assertRepaired(machine: SimMachine): Promise<void> {
  const mailAfter = async (): Promise<Mail> => {
    assert.deepEqual(await findingsOf(machine), []);
    return mailOf(machine);
  };
  const { findings } = await repair(simDirectory, sceneOptions(machine));
  assert.deepEqual(
    findings.map(({ text }) => text),
    [],
  );
  // It opens as any store does, and goes on.
  const store = await Store.open(simDirectory, sceneOptions(machine));
  await store.close();
  const mail = await mailAfter();
  await machine.loseCatalog();
  await rebuild(simDirectory, sceneOptions(machine));
  assertSame(await mailAfter(), mail);
}

test('the scene has every kind of record, and nothing is wrong with it', async () => {
  assert.deepEqual(await findingsOf(scene.machine.restart()), []);
  for (const kind of kinds) assert.ok(sampleOf(kind) !== undefined, kind);
  assert.equal(scene.mail.size, 11);
});

for (const kind of kinds) {
  test(`every bit of a ${kind}'s head: noticed by name, and turned back`, async () => {
    const record = sampleOf(kind);
    assert.ok(record !== undefined);
    for (let bit = 0; bit < record.headBytes * 8; bit += bitStep) {
      const machine = await flipped(scene, record.segment, [record.offset * 8 + bit]);
      const findings = await findingsOf(machine);
      const isNamed = findings.some(({ place }) => place?.segment === record.segment && place.offset === record.offset);
      assert.ok(isNamed, `${kind}, bit ${bit}: ${JSON.stringify(findings)}`);
      assertOnlyConcerned(await mailOf(machine), findings);
      if (bit % (bitStep * repairStep) !== 0) continue;
      await assertRepaired(machine);
      assertSame(await mailOf(machine), scene.mail);
    }
  });
}

test('one bit in every payload: noticed by name, and turned back', async () => {
  for (const [index, record] of scene.records.entries()) {
    if (record.payloadBytes === 0) continue;
    const bit = (record.offset + record.headBytes) * 8 + ((index * 7_919) % (record.payloadBytes * 8));
    const machine = await flipped(scene, record.segment, [bit]);
    const findings = await findingsOf(machine);
    const isNamed = findings.some(({ place }) => place?.segment === record.segment && place.offset === record.offset);
    assert.ok(isNamed, `${record.kind} at ${record.offset}: ${JSON.stringify(findings)}`);
    assertOnlyConcerned(await mailOf(machine), findings);
    await assertRepaired(machine);
    assertSame(await mailOf(machine), scene.mail);
  }
});

/** Bits so far apart in a record's payload, or head where it has none, that no single one explains them. */
function scattered(record: SceneRecord): number[] {
  const start = record.payloadBytes > 8 ? record.offset + record.headBytes : record.offset + 5;
  return [start * 8, start * 8 + 19, start * 8 + 37];
}

test('what is lost for good is told in its place, and everything else is as it was', async () => {
  let replacements = 0;
  for (const record of scene.records.filter(({ segment, kind }) => segment === 1 || kind === 'RESTATE')) {
    const machine = await flipped(scene, record.segment, scattered(record));
    const findings = await findingsOf(machine);
    assert.ok(findings.length > 0, `${record.kind} at ${record.offset}`);
    const before = await mailOf(machine);
    assertOnlyConcerned(before, findings);
    const dry = await repair(simDirectory, { ...sceneOptions(machine), dryRun: true });
    assert.ok(dry.stepCount > 0);
    assert.deepEqual(await mailOf(machine), before, 'a dry run changes nothing');
    await assertRepaired(machine);
    const after = await mailOf(machine);
    const replaced = [...after].filter(([, octets]) => octets.includes('X-Mstore-Damaged'));
    const gone = [...scene.mail.keys()].filter((key) => !after.has(key));
    assert.equal(replaced.length, gone.length, `${record.kind} at ${record.offset}`);
    replacements += replaced.length;
    for (const [key, octets] of after) {
      if (!octets.includes('X-Mstore-Damaged')) assert.ok(octets.equals(scene.mail.get(key) ?? damaged), key);
    }
  }
  // Four messages in it are live: each was hit in its ENTRY and its MESSAGE, and four times in their parts.
  assert.ok(replacements >= 12, `${replacements} replacements`);
});

test('with a backup everything is what it was, whatever was hit', async () => {
  for (const record of scene.records) {
    const machine = await flipped(scene, record.segment, scattered(record));
    await copyHeap(scene.machine, machine, '/backup');
    const { findings } = await repair(simDirectory, { ...sceneOptions(machine), from: '/backup' });
    assert.deepEqual(findings, [], `${record.kind} at ${record.offset}`);
    assertSame(await mailOf(machine), scene.mail);
  }
});

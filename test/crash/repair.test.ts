/**
 * Power loss in the middle of a repair, before and after each call that changes the disk or the catalog: the repair is run
 * again, and ends with a clean store in which no message is gone and none is there twice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorText, repair } from '@mstore/store';
import { Camera } from '../support/camera.ts';
import {
  damaged,
  findingsOf,
  flipped,
  mailOf,
  makeScene,
  replaceFile,
  restatedSegment,
  type Scene,
  type SceneRecord,
  sceneOptions,
  segmentPath,
} from '../support/damage-scene.ts';
import { counts } from '../support/long.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { type SimMachine, simDirectory } from '../support/sim-machine.ts';
import { Journal } from '../support/traffic.ts';

const scene: Scene = await makeScene();
const newest = Math.max(...scene.records.map(({ segment }) => segment));

function first(kind: string): SceneRecord {
  const record = scene.records.find((one) => one.kind === kind);
  assert.ok(record !== undefined);
  return record;
}

/** Bits that no single one explains, in a record's payload or, without one, its head. */
function scattered({ offset, headBytes, payloadBytes }: SceneRecord): number[] {
  const start = payloadBytes > 8 ? offset + headBytes : offset + 5;
  return [start * 8, start * 8 + 19, start * 8 + 37];
}

const damages: Readonly<Record<string, () => Promise<SimMachine>>> = {
  'a flipped bit, a lost part, a lost ENTRY and a lost EVENT': () =>
    flipped(scene, 1, [
      first('MESSAGE').offset * 8 + 70,
      ...scattered(first('chunk')),
      ...scattered(first('ENTRY')),
      ...scattered(first('EVENT')),
    ]),
  'a lost segment': async () => {
    const machine = scene.machine.restart();
    await machine.ports.fs.unlink(segmentPath(restatedSegment));
    await machine.ports.fs.syncDirectory(`${simDirectory}/heap`);
    return machine;
  },
  'a lost end': async () => {
    const machine = scene.machine.restart();
    const octets = machine.disk.contents(segmentPath(newest));
    await replaceFile(machine, segmentPath(newest), octets.subarray(0, octets.length / 2));
    return machine;
  },
  'swapped segments': async () => {
    const machine = scene.machine.restart();
    const [one, two] = [machine.disk.contents(segmentPath(1)), machine.disk.contents(segmentPath(restatedSegment))];
    await replaceFile(machine, segmentPath(1), two);
    await replaceFile(machine, segmentPath(restatedSegment), one);
    return machine;
  },
  'a lost catalog and a lost part': async () => {
    const machine = await flipped(scene, 1, scattered(first('PART')));
    await machine.loseCatalog();
    return machine;
  },
};

async function assertRepaired(machine: SimMachine): Promise<void> {
  const { findings } = await repair(simDirectory, sceneOptions(machine));
  assert.deepEqual(findings, []);
  const mail = await mailOf(machine);
  assert.equal(mail.size, scene.mail.size);
  for (const [key, octets] of mail) {
    if (octets.includes('X-Mstore-Damaged')) continue;
    assert.ok(octets.equals(scene.mail.get(key) ?? damaged), `${key} is not what it was`);
  }
}

for (const [what, damage] of Object.entries(damages)) {
  test(
    `the power fails while ${what} are repaired`.replace(/while (a lost (?:segment|end)) are/, 'while $1 is'),
    async () => {
      const seed = testSeed();
      const random = seededRandom(seed);
      const camera = new Camera(random.fork());
      const machine = (await damage()).restart(camera.options);
      camera.start(machine, new Journal(), counts(0.3, 3));
      await repair(simDirectory, sceneOptions(machine));
      camera.stop();
      assert.deepEqual(await findingsOf(machine), []);
      assert.ok(camera.images.length > 0);
      for (const image of camera.images) {
        await assertRepaired(image.machine).catch((error: unknown) => {
          throw new Error(`seed ${seed}, power lost ${image.moment}: ${errorText(error)}`, { cause: error });
        });
      }
    },
  );
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JointReads } from './joint-reads.ts';

const file = Buffer.from(Array.from({ length: 200_000 }, (_, n) => (n * 7) % 251));

/** Reads of `file`, and which there were. */
function reads(): { readonly joint: JointReads; readonly made: string[] } {
  const made: string[] = [];
  const joint = new JointReads(async (number, buffer, offset, length, position) => {
    made.push(`${number}: ${position}+${length}`);
    if (number === 9) throw new Error('the device failed');
    return file.copy(buffer, offset, position, position + length);
  });
  return { joint, made };
}

async function assertReads(joint: JointReads, number: number, position: number, length: number): Promise<void> {
  const buffer = Buffer.alloc(length + 3);
  const count = await joint.read(number, buffer, 3, length, position);
  const expected = file.subarray(position, position + length);
  assert.equal(count, expected.length);
  assert.deepEqual(buffer.subarray(3, 3 + count), expected);
}

test('neighbours are read together, others apart, and each gets its own octets', async () => {
  const { joint, made } = reads();
  await Promise.all([
    assertReads(joint, 1, 1_200, 100),
    assertReads(joint, 1, 1_000, 200),
    assertReads(joint, 1, 1_100, 50),
    assertReads(joint, 1, 90_000, 100),
    assertReads(joint, 2, 1_300, 100),
    assertReads(joint, 1, 5_000, 70_000),
  ]);
  assert.deepEqual(made.sort(), ['1: 1000+300', '1: 5000+70000', '1: 90000+100', '2: 1300+100']);
});

test('what is asked for later is a read of its own', async () => {
  const { joint, made } = reads();
  await assertReads(joint, 1, 1_000, 200);
  await assertReads(joint, 1, 1_200, 200);
  assert.equal(made.length, 2);
});

test('at the end of the file each gets what there is', async () => {
  const { joint } = reads();
  await Promise.all([
    assertReads(joint, 1, file.length - 100, 50),
    assertReads(joint, 1, file.length - 60, 500),
    assertReads(joint, 1, file.length + 10, 20),
  ]);
});

test('reads together are no longer than their bound', async () => {
  const { joint, made } = reads();
  await Promise.all(Array.from({ length: 6 }, (_, n) => assertReads(joint, 1, n * 30_000, 30_000)));
  assert.deepEqual(made, ['1: 0+60000', '1: 60000+60000', '1: 120000+60000']);
});

test('a failure is everybody’s', async () => {
  const { joint } = reads();
  const both = [joint.read(9, Buffer.alloc(10), 0, 10, 0), joint.read(9, Buffer.alloc(10), 0, 10, 10)];
  for (const one of both) await assert.rejects(one, /the device failed/);
});

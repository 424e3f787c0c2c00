/** A store with a record of every kind in three segments, on a simulated machine, and ways to damage copies of it. */
import assert from 'node:assert/strict';
import {
  createStore,
  examine,
  type Finding,
  inbox,
  type Lsn,
  type MailboxId,
  Store,
  StoreReader,
  UidSet,
} from '@mstore/store';
import { SegmentSurvey } from '@mstore/store/internal/heap/survey';
import { multipart, wrapped } from './messages.ts';
import { seededRandom } from './random.ts';
import { SimMachine, simDirectory } from './sim-machine.ts';

/** A record of the scene. */
export interface SceneRecord {
  /** `PART`, `chunk`, `closing`, `MESSAGE`, `ENTRY`, `EVENT`, `RESTATE`, `COMMIT`. */
  readonly kind: string;
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
  readonly headBytes: number;
  readonly payloadBytes: number;
  readonly lsn: Lsn;
}

/** Each message by mailbox name and UID, in hexadecimal of its hash or its text. */
export type Mail = ReadonlyMap<string, Buffer>;

export interface Scene {
  readonly machine: SimMachine;
  readonly records: readonly SceneRecord[];
  readonly mail: Mail;
}

const kinds = ['', 'PART', 'MESSAGE', 'ENTRY', 'EVENT', 'RESTATE', 'COMMIT'];
const headerBytes = 32;

/** Options of every store here: no idle COMMITs, which would come by the real clock. */
export function sceneOptions(machine: SimMachine): { readonly ports: SimMachine['ports']; readonly idleCommitMs: 0 } {
  return { ports: machine.ports, idleCommitMs: 0 };
}

/** The segment that has RESTATEs; number 2 was compacted into it. */
export const restatedSegment = 3;

/**
 * Four sessions of a writer, each in a segment of its own: all but the last end in a kill. The third compacts the segment of the
 * second, whose file is gone in the end. The last segment has some 16 KiB.
 */
export async function makeScene(): Promise<Scene> {
  let machine = new SimMachine();
  await createStore(simDirectory, sceneOptions(machine));
  let store = await Store.open(simDirectory, sceneOptions(machine));
  const { account } = await store.createAccount('ann@example.org');
  const box = mailboxOf(store, 'ann@example.org');
  const random = seededRandom(7);
  const shared = wrapped(random.bytes(6_000), 76);
  const deliver = async (subject: string, bodies: readonly string[]): Promise<void> => {
    const parts = bodies.map((body) => ({ encoding: 'base64', body }));
    const taken = await store.take(multipart([`Subject: ${subject}`, `Message-ID: <${subject}@x>`], subject, parts));
    const [result] = await store.deliver(taken, [{ account, trace: Buffer.from('Delivered-To: ann\r\n') }]);
    assert.ok(result?.ok);
  };
  await deliver('own', [wrapped(random.bytes(5_000), 76)]);
  await deliver('two', [shared, wrapped(random.bytes(4_500), 60)]);
  await deliver('large', [wrapped(random.bytes(1_100_000), 76)]);
  await deliver('plain', []);
  await store.setFlags({ mailbox: box, uids: UidSet.range(1, 1), mode: 'add', flags: 1, keywords: ['Work'] });
  await deliver('gone', [wrapped(random.bytes(4_800), 72)]);
  await store.expunge(box, UidSet.range(5, 5), false);
  await store.settle();
  machine = machine.kill();
  store = await Store.open(simDirectory, sceneOptions(machine));
  await deliver('moved', []);
  await deliver('passing', []);
  await store.expunge(box, UidSet.range(7, 7), false);
  await store.purge(box, UidSet.range(7, 7));
  await store.setFlags({ mailbox: box, uids: UidSet.range(2, 2), mode: 'add', flags: 2, keywords: ['Work'] });
  await store.subscribe(account, 'Elsewhere', true);
  await store.settle();
  machine = machine.kill();
  store = await Store.open(simDirectory, sceneOptions(machine));
  await deliver('again', [shared]);
  const { segments } = await store.compact({ minGarbage: 0.5, maxRate: 0 });
  assert.deepEqual(segments, [2]);
  await deliver('later', [wrapped(random.bytes(4_200), 76)]);
  await deliver('last', []);
  await store.settle();
  machine = machine.kill();
  store = await Store.open(simDirectory, sceneOptions(machine));
  for (const subject of ['x', 'y', 'z']) await deliver(subject, [wrapped(random.bytes(4_400), 76)]);
  await store.setFlags({ mailbox: box, uids: UidSet.range(11, 12), mode: 'add', flags: 4, keywords: [] });
  await store.close();
  machine = machine.restart();
  return { machine, records: await recordsOf(machine), mail: await mailOf(machine) };
}

function mailboxOf(store: { catalog(): ReturnType<Store['catalog']> }, name: string): MailboxId {
  const account = store.catalog().accountNamed(name);
  const box = account === undefined ? undefined : store.catalog().mailboxNamed(account.id, inbox);
  assert.ok(box !== undefined);
  return box.id;
}

async function recordsOf(machine: SimMachine): Promise<SceneRecord[]> {
  const survey = await SegmentSurvey.open(machine.ports.fs, simDirectory);
  const records: SceneRecord[] = [];
  for (const segment of survey.segments) {
    for await (const { type, location, fields, storedBytes } of survey.records(segment)) {
      const part = ['PART', 'chunk', 'closing'][fields[0] ?? 0] ?? 'PART';
      records.push({
        kind: type === 1 ? part : (kinds[type] ?? ''),
        segment: segment.number,
        offset: location.lsn - (segment.header?.baseLsn ?? 0),
        bytes: location.bytes,
        headBytes: headerBytes + fields.length,
        payloadBytes: storedBytes,
        lsn: location.lsn,
      });
    }
  }
  await survey.close();
  return records;
}

/** Every live message that can be read; one that cannot be read is `damaged`. */
export async function mailOf(machine: SimMachine): Promise<Map<string, Buffer>> {
  const reader = await StoreReader.open(simDirectory, sceneOptions(machine));
  const mail = new Map<string, Buffer>();
  try {
    for (const { id, row } of [...reader.catalog().allMailboxes()]) {
      for (const entry of [...reader.catalog().entries(id)]) {
        const octets = await reader
          .open(entry)
          .then((message) => message.whole())
          .catch(() => damaged);
        mail.set(`${row.account === 1 ? '' : `${row.account}/`}${row.name} ${entry.uid}`, octets);
      }
    }
  } finally {
    await reader.close();
  }
  return mail;
}

/** Stands for a message that cannot be read. */
export const damaged: Buffer = Buffer.from('damaged');

export function segmentPath(number: number): string {
  return `${simDirectory}/heap/${String(number).padStart(16, '0')}.seg`;
}

/** A copy of the scene's machine with bits of a segment flipped. */
export async function flipped(scene: Scene, segment: number, bits: readonly number[]): Promise<SimMachine> {
  const machine = scene.machine.restart();
  const file = await machine.ports.fs.open(segmentPath(segment), 'write');
  for (const bit of bits) {
    const octet = Buffer.alloc(1);
    await file.read(octet, 0, 1, bit >>> 3);
    octet[0] = (octet[0] ?? 0) ^ (1 << (bit & 7));
    await file.write([octet], bit >>> 3);
  }
  await file.datasync();
  await file.close();
  return machine;
}

/** Replaces a file, or makes it. */
export async function replaceFile(machine: SimMachine, path: string, octets: Buffer): Promise<void> {
  await machine.ports.fs.unlink(path).catch(() => undefined);
  const file = await machine.ports.fs.open(path, 'create');
  await file.write([octets], 0);
  await file.datasync();
  await file.close();
  await machine.ports.fs.syncDirectory(`${simDirectory}/heap`);
}

export async function findingsOf(machine: SimMachine): Promise<readonly Finding[]> {
  return (await examine(simDirectory, sceneOptions(machine))).findings;
}

/** Copies the segments of one machine's store to a folder of another's. */
export async function copyHeap(from: SimMachine, to: SimMachine, folder: string): Promise<void> {
  await to.ports.fs.makeDirectory(`${folder}/heap`);
  for (const name of await from.disk.list(`${simDirectory}/heap`)) {
    const file = await to.ports.fs.open(`${folder}/heap/${name}`, 'create');
    await file.write([from.disk.contents(`${simDirectory}/heap/${name}`)], 0);
    await file.close();
  }
}

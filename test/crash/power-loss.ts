/**
 * One round of power loss at every moment: a history on a simulated machine, a picture of it before and after each call that
 * changes the disk or the catalog, with several survivals of what was not synced. Each state found must be the log's state
 * after a whole batch, not before what callers were told, and clean; then work goes on from it, and sometimes the power
 * fails again.
 */
import assert from 'node:assert/strict';
import {
  brandNumber,
  createStore,
  errorText,
  type MailboxId,
  rebuild,
  Store,
  type StoreOptions,
  type StoreReading,
  UidSet,
} from '@mstore/store';
import { Camera, type CrashImage } from '../support/camera.ts';
import { told as sayings } from '../support/compacted.ts';
import { difference, dumpStore } from '../support/dump-store.ts';
import { digestOf, type Lineage, lineageOf } from '../support/lineage.ts';
import { openOnDisk } from '../support/materialise.ts';
import { MessageSource, multipart, wrapped } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { passDays } from '../support/retention.ts';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';
import { Journal, Traffic } from '../support/traffic.ts';

const segmentBytes = 32_768;

export const storeOptions = (machine: SimMachine): StoreOptions => ({
  ports: machine.ports,
  segmentBytes,
  idleCommitMs: 0,
});
export const openOn = (machine: SimMachine): Promise<Store> => Store.open(simDirectory, storeOptions(machine));

export interface Scene {
  readonly machine: SimMachine;
  readonly camera: Camera;
  readonly journal: Journal;
  readonly random: Random;
}

/** Opens the store, works on it and closes it, with the camera on from the first call. */
export async function film(
  scene: Scene,
  perMoment: number,
  work: (traffic: Traffic, store: Store) => Promise<void>,
): Promise<void> {
  const { machine, camera, journal, random } = scene;
  camera.start(machine, journal, perMoment);
  const store = await openOn(machine);
  store.subscribeFeed((changes) => journal.feed(changes));
  await work(new Traffic(store, store, random, new MessageSource(random.fork()), journal), store);
  await store.close();
  camera.stop();
}

export async function newScene(random: Random): Promise<Scene> {
  const camera = new Camera(random.fork());
  const machine = new SimMachine(camera.options);
  await createStore(simDirectory, storeOptions(machine));
  return { machine, camera, journal: new Journal(), random };
}

/** What was looked at. */
export interface Tally {
  /** States found after power loss, those of them on a real disk too, and those whose work the power ended again. */
  states: number;
  onDisk: number;
  again: number;
}

export const noTally = (): Tally => ({ states: 0, onDisk: 0, again: 0 });

export interface Verification {
  readonly tally: Tally;
  /** How deep crashes in the work after a crash go. */
  readonly depth: number;
  /** Share of states that are also looked at on a real disk. */
  readonly onDisk: number;
  /** Parts of the log are gone: what is found is compared with what a rebuild makes of the rest. */
  readonly isCompacted?: boolean;
}

export async function verifyAll(scene: Scene, how: Verification): Promise<void> {
  const lineage = how.isCompacted === true ? undefined : await lineageOf(scene.machine.ports, simDirectory);
  for (const image of scene.camera.images.splice(0)) {
    try {
      await verify(image, lineage, scene.random, how);
    } catch (error) {
      throw new Error(`power lost ${image.moment}: ${errorText(error)}`, { cause: error });
    }
  }
}

export async function verify(
  image: CrashImage,
  lineage: Lineage | undefined,
  random: Random,
  how: Verification,
): Promise<void> {
  const { machine, camera, told } = image;
  how.tally.states++;
  if (random.chance(how.onDisk)) {
    how.tally.onDisk++;
    await openOnDisk(machine.kill(), { segmentBytes }, (store) => assertState(store, lineage, told));
  }
  const again = how.depth > 0 && random.chance(0.06);
  const journal = new Journal();
  journal.heard(told.sequence);
  for (const [place, sha] of told.placed) journal.placed.set(place, sha);
  if (again) camera.start(machine, journal, 0.3);
  const store = await openOn(machine);
  await assertState(store, lineage, told);
  store.subscribeFeed((changes) => journal.feed(changes));
  const traffic = new Traffic(store, store, random, new MessageSource(random.fork(), [4_500]), journal);
  const before = told.sequence;
  for (let n = 0; n < (again ? 6 : 2); n++) await traffic.step();
  await traffic.deliver();
  assert.ok(journal.sequence >= before);
  await store.settle();
  await assertClean(store, { content: random.chance(0.2) });
  await store.close();
  camera.stop();
  if (lineage === undefined) await assertRebuildsAlike(machine.kill());
  if (!again) return;
  how.tally.again++;
  await verifyAll({ machine, camera, journal, random }, { ...how, depth: how.depth - 1, onDisk: 0 });
}

/** The catalog made again from what is left of the log says what the live one said. */
async function assertRebuildsAlike(machine: SimMachine): Promise<void> {
  const live = await openOn(machine);
  const wanted = sayings(dumpStore(live));
  await live.close();
  await machine.loseCatalog();
  assert.deepEqual((await rebuild(simDirectory, storeOptions(machine))).damage, []);
  const rebuilt = await openOn(machine);
  assert.deepEqual(difference(sayings(dumpStore(rebuilt)), wanted), []);
  await rebuilt.close();
}

/** The store is what its log was after a whole batch, and holds all that was told. */
async function assertState(store: StoreReading, lineage: Lineage | undefined, told: CrashImage['told']): Promise<void> {
  const catalog = store.catalog();
  const state = catalog.state();
  assert.ok(state !== undefined);
  const dump = lineage === undefined ? [] : dumpStore(store);
  if (lineage !== undefined && digestOf(dump) !== lineage.digests.get(state.batch)) {
    const others = difference(dump, lineage.dump(state.batch)).slice(0, 20).join('\n');
    assert.fail(`batch ${state.batch} of ${[...lineage.digests.keys()].join(' ')}: ${others}`);
  }
  assert.ok(state.sequence >= told.sequence, `sequence ${state.sequence}, told was ${told.sequence}`);
  for (const [place, sha] of told.placed) {
    const [mailbox = 0, uid = 0] = place.split(':').map(Number);
    const id = brandNumber<MailboxId>(mailbox);
    const row = catalog.mailbox(id);
    if (row === undefined) continue;
    assert.ok(row.uidNext > uid, `UID ${uid} of mailbox ${id} would be given again`);
    for (const entry of catalog.entries(id, UidSet.range(uid, uid))) {
      assert.equal(catalog.message(entry.message)?.sha.toString('hex'), sha);
    }
  }
  await assertClean(store);
}

const roundKinds = ['requests', 'retention', 'compaction', 'largeParts'] as const;
type RoundKind = (typeof roundKinds)[number];

/** @throws for what is no kind of round */
export function roundKind(name: string | undefined): RoundKind {
  const found = roundKinds.find((kind) => kind === name);
  if (found === undefined) throw new Error(`no round of ${name}`);
  return found;
}

/** How often the power goes again in the work after it came back. */
const depths: Readonly<Record<RoundKind, number>> = { requests: 2, retention: 1, compaction: 1, largeParts: 0 };

/** What a round does. */
export interface Round {
  readonly kind: RoundKind;
  readonly seed: number;
  /** Pictures at each moment; a fraction is a probability. */
  readonly perMoment: number;
  /** Share of states that are also looked at on a real disk. */
  readonly onDisk: number;
}

export async function powerLossRound({ kind, seed, perMoment, onDisk }: Round): Promise<Tally> {
  const tally = noTally();
  const scene = await newScene(seededRandom(seed));
  const works = { requests, retention, compaction, largeParts };
  await film(scene, perMoment, (traffic, store) => works[kind](traffic, scene, store));
  await verifyAll(scene, { tally, depth: depths[kind], onDisk, isCompacted: kind === 'compaction' });
  return tally;
}

async function requests(traffic: Traffic, { random }: Scene): Promise<void> {
  for (let n = 0; n < 3; n++) await traffic.request('createAccount');
  if (random.chance(0.5)) await traffic.everything();
  for (let n = 0; n < 12; n++) await traffic.step();
  // Several at once: batches with many intents, and answers from two stages.
  for (let n = 0; n < 2; n++) await Promise.all(Array.from({ length: 5 }, () => traffic.step()));
}

async function retention(traffic: Traffic, { random, machine }: Scene, store: Store): Promise<void> {
  for (let n = 0; n < 4; n++) await traffic.request('createAccount');
  for (let n = 0; n < 12; n++) await traffic.request(random.chance(0.6) ? 'deliver' : 'append');
  const kinds = ['expunge', 'expunge', 'deleteMailbox', 'undelete', 'deleteAccount', 'restoreAccount'] as const;
  for (let days = 0; days < 3; days++) {
    const [{ id } = { id: undefined }] = store.catalog().accounts();
    // More mailboxes than one turn deletes.
    for (let n = 0; id !== undefined && n < 60; n++)
      await store.createMailbox(id, `m${days} ${n}`).catch(() => undefined);
    for (const name of kinds) await traffic.request(name);
    await traffic.request('restoreMailbox');
    await passDays(store, machine, 4);
  }
  await passDays(store, machine, 45);
}

/** Compactions among requests, and the end of what they leave. */
async function compaction(traffic: Traffic, _scene: Scene, store: Store): Promise<void> {
  for (let n = 0; n < 3; n++) await traffic.request('createAccount');
  for (let n = 0; n < 10; n++) await traffic.request('deliver');
  let retired = 0;
  for (let n = 0; n < 3; n++) {
    for (const name of ['append', 'setFlags', 'expunge', 'purge', 'move', 'deleteMailbox'] as const)
      await traffic.request(name);
    const running = store.compact({ minGarbage: 0, maxRate: 0 });
    for (let step = 0; step < 4; step++) await traffic.step();
    retired += (await running).segments.length;
    await store.dropRetired(true);
  }
  assert.ok(retired > 0, 'no segment was compacted');
}

async function largeParts(traffic: Traffic, { random }: Scene): Promise<void> {
  const content = random.bytes(1_300_000);
  const spilled = random.bytes(4_600_000);
  const mail = (octets: Buffer, columns: number): Buffer =>
    multipart(['Subject: large'], 'text', [{ encoding: 'base64', body: wrapped(octets, columns) }]);
  await traffic.request('createAccount');
  await traffic.append([mail(content, 76)]);
  await traffic.append([mail(spilled, 76)]);
  await Promise.all([traffic.append([mail(spilled, 60)]), traffic.deliver(), traffic.append([mail(content, 57)])]);
  await traffic.request('expunge');
  await traffic.request('purge');
  await traffic.request('move');
}

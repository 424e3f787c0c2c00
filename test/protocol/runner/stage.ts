/** What transcripts play on: the daemons in this process, and the words for what is done beside them. */
import assert from 'node:assert/strict';
import { type Clock, systemClock } from '@mstore/net';
import { UidSet } from '@mstore/store';
import { Daemons, until } from '../../support/daemons.ts';
import { accepts, shown, type Variables } from './pattern.ts';
import { contentOctets, contentPattern, type Stage } from './run.ts';
import type { Transcript } from './transcript.ts';

/** The machine's clock, put forward now and then. */
class JumpingClock implements Clock {
  /** How often it was looked at. */
  looks = 0;
  #aheadMs = 0;

  jump(ms: number): void {
    this.#aheadMs += ms;
  }

  now(): number {
    return systemClock.now() + this.#aheadMs;
  }

  monotonic(): number {
    this.looks += 1;
    return systemClock.monotonic() + this.#aheadMs;
  }
}

interface Doing {
  readonly clock: JumpingClock;
  readonly daemons: Daemons;
  readonly words: readonly string[];
  readonly content: readonly string[];
  readonly variables: Variables;
}

type Action = (doing: Doing) => Promise<unknown>;

/** The words, and what they do; what the groups of a pattern hold comes as `words`, from 0. */
const actions: readonly (readonly [RegExp, Action])[] = [
  [
    /^user (\S+) quota (\S+)$/,
    ({ daemons, words: [address = '', quota] }) => daemons.addUser(address, 'secret', quota),
  ],
  [
    /^(\S+) may have (\d+) messages?$/,
    ({ daemons, words: [address = '', most] }) =>
      daemons.administration.setQuota(address, { quotaMessages: Number(most) }),
  ],
  [/^user (\S+)(?: (.+))?$/, ({ daemons, words: [address = '', password] }) => daemons.addUser(address, password)],
  [/^domain (\S+)$/, ({ daemons, words: [domain = ''] }) => daemons.administration.addDomain(domain)],
  [
    /^alias (\S+) (.+)$/,
    ({ daemons, words: [address = '', targets = ''] }) => daemons.administration.setAlias(address, targets.split(' ')),
  ],
  [/^(\S+) may not log in$/, ({ daemons, words: [address = ''] }) => daemons.administration.setDisabled(address, true)],
  [
    /^mailbox (.+) of (\S+)$/,
    async ({ daemons, words: [name = '', address = ''] }) =>
      daemons.store.createMailbox(await daemons.account(address), name),
  ],
  [
    /^deliver to (\S+)(?: in (.+))?$/,
    ({ daemons, words: [address = '', name], content, variables }) =>
      daemons.deliver(address, contentOctets(content, variables), name),
  ],
  [/^append to (\S+) with UIDL (\S+)$/, append],
  [
    /^expunge (\d+) of (\S+)(?: in (.+))?$/,
    async ({ daemons, words: [uid, address = '', name] }) =>
      daemons.store.expunge(await daemons.mailbox(address, name), UidSet.of([Number(uid)]), false),
  ],
  [/^(\S+) has (\d+) messages?(?: in (.+))?$/, has],
  [/^message (\d+) of (\S+)(?: in (.+))?$/, holds],
  [/^the directory (goes down|comes back)$/, ({ daemons, words: [way] }) => daemons.setDirectory(way === 'comes back')],
  [
    /^the disk (is full|has room)$/,
    async ({ daemons, words: [state] }) => (daemons.disk.trouble = state === 'is full' ? 'ENOSPC' : undefined),
  ],
  [/^the daemons are told to stop$/, async ({ daemons }) => daemons.drain()],
  [/^the writer goes away$/, ({ daemons }) => daemons.endWriter()],
  [/^(\d+) (seconds|minutes) pass$/, pass],
  [
    /^\{\{(\w+)\}\} is not \{\{(\w+)\}\}$/,
    async ({ words: [one = '', other = ''], variables }) =>
      assert.notEqual(variables.get(one), variables.get(other), `${one} is ${other}`),
  ],
];

async function pass({ clock, words: [count, unit] }: Doing): Promise<void> {
  clock.jump(Number(count) * (unit === 'minutes' ? 60_000 : 1_000));
  const seen = clock.looks;
  await until('the deadlines were looked at', () => clock.looks > seen + 4);
}

async function append({ daemons, words: [address = '', uidl = ''], content, variables }: Doing): Promise<void> {
  const message = await daemons.store.take(contentOctets(content, variables));
  await daemons.store.append(await daemons.mailbox(address), [{ message, flags: 0, keywords: [], uidl }]);
}

async function has({ daemons, words: [address = '', count, name] }: Doing): Promise<void> {
  let found = -1;
  await until(`${address} has ${count} messages`, async () => {
    found = await daemons.count(address, name);
    return found >= Number(count);
  }).catch(() => undefined);
  assert.equal(found, Number(count), `${address} has ${found} messages`);
}

async function holds({ daemons, words: [uid, address = '', name], content, variables }: Doing): Promise<void> {
  const octets = (await daemons.messages(address, name)).get(Number(uid))?.toString('latin1');
  assert.ok(octets !== undefined, `${address} has no message ${uid}`);
  assert.ok(accepts(contentPattern(content), octets, variables), `it is ${shown(octets)}`);
}

/** The daemons that a transcript's head asks for, and the words it may use. */
export class DaemonStage implements Stage, AsyncDisposable {
  readonly #daemons: Daemons;
  readonly #clock: JumpingClock;

  private constructor(daemons: Daemons, clock: JumpingClock) {
    this.#daemons = daemons;
    this.#clock = clock;
  }

  static async prepare({ head }: Transcript): Promise<DaemonStage> {
    const config = head.flatMap((step) =>
      step.kind === 'action' ? (/^config (.+)$/.exec(step.words)?.[1] ?? []) : [],
    );
    const clock = new JumpingClock();
    const mayLog = /directory|diskFull|ENOSPC|noWriter/;
    return new DaemonStage(await Daemons.prepare({ config, clock, mayLog }), clock);
  }

  start(): Promise<void> {
    return this.#daemons.start();
  }

  address(protocol: string): string {
    return this.#daemons.address(protocol);
  }

  async act(words: string, content: readonly string[], variables: Variables): Promise<void> {
    if (words.startsWith('config ')) return;
    for (const [pattern, action] of actions) {
      const match = pattern.exec(words);
      if (match === null) continue;
      await action({ daemons: this.#daemons, clock: this.#clock, words: match.slice(1), content, variables });
      return;
    }
    throw new Error(`nobody knows what this means: ${words}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemons[Symbol.asyncDispose]();
  }
}

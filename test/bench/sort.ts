/**
 * SORT and THREAD of a large mailbox through a session: ms until the answer is whole, the longest turn of the event loop meanwhile,
 * and memory. By hand: `npm run build && node --expose-gc test/dist/bench/sort.js [messages]`.
 */
import { connect } from 'node:net';
import { parseListenAddress } from '@mstore/net';
import { Daemons } from '../support/daemons.ts';
import { LongestTurn } from '../support/longest-turn.ts';
import { deliverList, listMail } from '../support/mailing-list.ts';
import { seededRandom } from '../support/random.ts';

const count = Number(process.argv[2] ?? 100_000);
const user = 'ann@example.org';
const mebibyte = 1_048_576;

/** A client that throws away what it hears, so that little of the time is its own. */
class Ear {
  readonly #socket;
  #end: () => void = () => undefined;
  #tag = '';

  constructor(address: string) {
    const at = parseListenAddress(address);
    this.#socket = connect(at.kind === 'unix' ? { path: at.path } : { host: at.host, port: at.port });
    this.#socket.on('data', (octets: Buffer) => {
      if (this.#tag !== '' && octets.toString('latin1').includes(`${this.#tag} OK`)) this.#end();
    });
  }

  async ask(tag: string, command: string): Promise<void> {
    this.#tag = tag;
    const done = new Promise<void>((resolve) => {
      this.#end = resolve;
    });
    this.#socket.write(`${tag} ${command}\r\n`);
    await done;
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function measured(ear: Ear, command: string): Promise<void> {
  globalThis.gc?.();
  const before = process.memoryUsage();
  let most = 0;
  const watch = setInterval(() => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    most = Math.max(most, heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers);
  }, 20);
  const turns = new LongestTurn();
  const start = performance.now();
  const cpu = process.cpuUsage();
  await ear.ask('m', command);
  const ms = Math.round(performance.now() - start);
  const cpuMs = Math.round(process.cpuUsage(cpu).user / 1_000);
  const longest = turns.stop().toFixed(1);
  clearInterval(watch);
  const octets = Math.round(most / count);
  process.stdout.write(
    `${command}: ${ms} ms, ${cpuMs} ms of processor, longest turn ${longest} ms, at most ${(most / mebibyte).toFixed(0)} MiB more (${octets} octets a message)\n`,
  );
}

await using daemons = await Daemons.start();
await daemons.addUser(user);
const start = performance.now();
await deliverList(daemons, user, listMail(count, seededRandom(1)));
process.stdout.write(`${count} messages delivered in ${Math.round(performance.now() - start)} ms\n`);
const ear = new Ear(daemons.address('imap'));
await ear.ask('a', `LOGIN ${user} secret`);
await ear.ask('b', 'EXAMINE INBOX');
for (const command of [
  'SORT (DATE) UTF-8 ALL',
  'SORT (DATE) UTF-8 ALL',
  'SORT (SIZE) UTF-8 ALL',
  'SORT (SUBJECT) UTF-8 ALL',
  'SORT (FROM REVERSE DATE) UTF-8 ALL',
  'THREAD ORDEREDSUBJECT UTF-8 ALL',
  'THREAD REFERENCES UTF-8 ALL',
]) {
  await measured(ear, command);
}
ear.close();

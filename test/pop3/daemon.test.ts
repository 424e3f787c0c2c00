/** The POP3 daemon as a process: sockets it inherits, questions it answers, limits it keeps, and its end. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import {
  type Answer,
  HeldSocket,
  isAnswer,
  parseListenAddress,
  type Question,
  type SessionRow,
  socketArgument,
} from '@mstore/net';
import { pop3Program } from '@mstore/pop3d';
import { PopClient, PopSite, password } from '../support/pop3.ts';

const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
});

interface Child {
  readonly process: ChildProcess;
  readonly port: number;
  ask(about: string, ...args: readonly string[]): Promise<unknown>;
  /** The exit code or the signal, and the log. */
  ended(): Promise<{ readonly code: unknown; readonly log: string }>;
}

function start(directory: string, args: readonly string[], handle?: object): ChildProcess {
  const stdio = ['ignore', 'ignore', 'pipe', 'ipc', ...(handle === undefined ? [] : [handle])];
  const command = [process.execPath, [pop3Program, '--data', directory, ...args], { stdio }];
  // Node passes any handle of its own on; its types know only streams.
  const child = Reflect.apply(spawn, undefined, command);
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function startChild(directory: string, socket?: HeldSocket): Promise<Child> {
  const args = socket === undefined ? [] : [socketArgument({ name: 'pop3', fd: 4, address: socket.address })];
  const child = start(directory, args, socket?.handle);
  let log = '';
  child.stderr?.on('data', (octets: Buffer) => {
    log += octets.toString();
  });
  const [notice] = await once(child, 'message', { signal: AbortSignal.timeout(10_000) });
  assert.equal(notice.type, 'ready');
  const [address] = notice.listening.pop3;
  let asked = 0;
  return {
    process: child,
    port: Number(address.slice(address.lastIndexOf(':') + 1)),
    ask: async (about, ...words) => {
      asked += 1;
      const question: Question = { type: 'ask', id: asked, about, args: words };
      const answered = new Promise<Answer>((resolve) => {
        child.on('message', (message: unknown) => {
          if (isAnswer(message) && message.id === question.id) resolve(message);
        });
      });
      child.send(question);
      const { value, problem } = await answered;
      if (problem !== undefined) throw new Error(problem);
      return value;
    },
    ended: async () => {
      if (child.exitCode === null) await once(child, 'exit', { signal: AbortSignal.timeout(10_000) });
      if (child.stderr?.readableEnded === false) await once(child.stderr, 'end');
      return { code: child.exitCode ?? child.signalCode, log };
    },
  };
}

async function logIn(port: number): Promise<PopClient> {
  const client = await PopClient.open(port);
  assert.match(await client.line(), /^\+OK/);
  assert.match(await client.ask('USER a@example.org'), /^\+OK/);
  assert.match(await client.ask(`PASS ${password}`), /^\+OK/);
  return client;
}

test('a child of the supervisor serves an inherited socket, tells who is there, and lets them be kicked', async () => {
  await using site = await PopSite.start();
  await site.deliver(['Subject: 1\r\n\r\none\r\n']);
  const held = await HeldSocket.bind(parseListenAddress('127.0.0.1:0'));
  const child = await startChild(site.temp.directory, held);
  const client = await logIn(child.port);
  const rows = (await child.ask('who')) as SessionRow[];
  assert.deepEqual(
    rows.map(({ protocol, login, local }) => ({ protocol, login, local })),
    [{ protocol: 'pop3', login: 'a@example.org', local: held.address }],
  );
  const metrics = JSON.stringify(await child.ask('metrics'));
  assert.match(metrics, /mstore_pop3_logins_total/);
  assert.equal(await child.ask('kick', 'login', 'b@example.org'), 0);
  assert.equal(await child.ask('kick', 'login', 'a@example.org'), 1);
  assert.match(await client.line(), /^-ERR \[SYS\/TEMP\]/);
  client.socket.end();
  await client.ended();
  const other = await logIn(child.port);
  const [{ id = '' } = {}] = (await child.ask('who')) as SessionRow[];
  assert.equal(await child.ask('kick', 'id', id), 1);
  assert.match(await other.line(), /^-ERR/);
  other.socket.end();
  await assert.rejects(child.ask('weather'), /nothing is known/);
  child.process.disconnect();
  const { code, log } = await child.ended();
  assert.equal(code, 0);
  assert.match(log, /"event":"session ended"/);
  assert.match(log, /"event":"stopped"/);
  held.close();
});

test('SIGTERM ends sessions between commands, and lets a message that is under way come to its end', async () => {
  await using site = await PopSite.start();
  const large = `Subject: large\r\n\r\n${'0123456789abcdef\r\n'.repeat(300_000)}`;
  await site.deliver([large], '');
  await writeFile(`${site.temp.directory}/mstore.toml`, '[listen]\npop3 = "127.0.0.1:0"\n');
  const child = await startChild(site.temp.directory);
  const idle = await logIn(child.port);
  const busy = await logIn(child.port);
  busy.socket.pause();
  busy.say('RETR 1\r\n');
  child.process.kill('SIGTERM');
  assert.match(await idle.line(), /^-ERR \[SYS\/TEMP\]/);
  idle.socket.end();
  busy.socket.resume();
  assert.match(await busy.line(), /^\+OK/);
  assert.equal(String(await busy.undotted()), large);
  busy.socket.end();
  assert.equal((await child.ended()).code, 0);
});

test('it does not listen beyond this machine without TLS, and says what to do', async () => {
  await using site = await PopSite.start();
  await writeFile(`${site.temp.directory}/mstore.toml`, '[listen]\npop3 = "0.0.0.0:0"\n');
  const refused = start(site.temp.directory, []);
  let log = '';
  refused.stderr?.on('data', (octets: Buffer) => {
    log += octets.toString();
  });
  await once(refused, 'exit', { signal: AbortSignal.timeout(10_000) });
  assert.equal(refused.exitCode, 69);
  assert.match(log, /pop3\.plaintextAnywhere = true/);
  const anywhere = '[listen]\npop3 = "0.0.0.0:0"\n[pop3]\nplaintextAnywhere = true\n';
  await writeFile(`${site.temp.directory}/mstore.toml`, anywhere);
  const child = await startChild(site.temp.directory);
  await logIn(child.port).then((client) => client.quit());
  child.process.kill('SIGTERM');
  assert.equal((await child.ended()).code, 0);
});

test('who comes when there are too many is told to come later', async () => {
  await using site = await PopSite.start({ config: { connections: 2 } });
  const first = await site.connect();
  await site.connect();
  await assert.rejects(site.connect(), /too many connections/);
  await first.quit();
  await site.until(() => site.logLines.some((line) => line.includes('session ended')), 'the end of the first');
  await site.logIn();
});

/** Both forms of mstore-lda before daemons that misbehave, and the native one in surroundings that do. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { repositoryRoot } from '../support/repository.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertEnded, endOf, feed, forms } from './world.ts';

const source = join(repositoryRoot, 'packages/lda/native/mstore-lda.c');
const strictly = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror'];

/** A data directory whose socket somebody else than a daemon of ours serves. */
class FakeDaemon implements AsyncDisposable {
  readonly directory: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #remove: () => Promise<void>;

  private constructor(directory: string, remove: () => Promise<void>, serve: (socket: Socket) => void) {
    this.directory = directory;
    this.#remove = remove;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      serve(socket);
    });
  }

  static async listen(serve: (socket: Socket) => void): Promise<FakeDaemon> {
    const temp = await tempDirectory();
    await mkdir(join(temp.path, 'run'));
    const daemon = new FakeDaemon(temp.path, async () => temp[Symbol.asyncDispose](), serve);
    await new Promise<void>((resolve) => daemon.#server.listen(join(temp.path, 'run', 'lda.sock'), resolve));
    return daemon;
  }

  start([file = '', ...before]: readonly string[]): ChildProcess {
    return spawn(file, [...before, '--data', this.directory, 'ada@x.example']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await this.#remove();
  }
}

/** A daemon that answers at the end of the message, in its own way. */
function atTheEnd(answer: (socket: Socket) => void): (socket: Socket) => void {
  return (socket) => {
    let tail = Buffer.alloc(0);
    socket.on('data', (octets) => {
      tail = Buffer.concat([tail, octets]).subarray(-5);
      if (tail.equals(Buffer.from('E\0\0\0\0'))) answer(socket);
    });
  };
}

const answers: readonly (readonly [string, number, RegExp | undefined])[] = [
  ['0 done\n', 0, undefined],
  ['0 \n', 0, undefined],
  ['65 too large\n', 65, /^too large$/],
  ['67 no such user\nmore', 67, /^no such user$/],
  ['77 full\n', 77, /^full$/],
  ['75 later\n', 75, /^later$/],
  ['1 odd\n', 75, undefined],
  ['255 odd\n', 75, undefined],
  ['256 zero in octal\n', 75, undefined],
  ['-1 x\n', 75, undefined],
  ['4294967296 x\n', 75, undefined],
  ['\n', 75, /sense/],
  ['0\n', 75, /sense/],
  ['hello\n', 75, /sense/],
  ['', 75, /went away/],
  ['0 no end', 75, /went away/],
  [`0 ${'x'.repeat(5_000)}`, 75, /sense/],
];

for (const { name, command } of forms) {
  test(`${name}: only the five codes leave it, whatever the daemon says`, async () => {
    for (const [text, code, says] of answers) {
      await using daemon = await FakeDaemon.listen(atTheEnd((socket) => socket.end(text)));
      const child = daemon.start(command);
      child.stdin?.end('a: b\n\nc\n');
      const ran = await endOf(child);
      assert.equal(ran.code, code, `${JSON.stringify(text)}: ${ran.line}`);
      if (says !== undefined) assert.match(assertEnded(ran, code), says);
    }
  });

  test(`${name}: an answer that comes octet by octet, and a daemon that reads so`, async () => {
    await using daemon = await FakeDaemon.listen((socket) => {
      const line = Buffer.from('67 nobody\n');
      let at = 0;
      socket.on('data', () => {
        socket.write(line.subarray(at, ++at));
        socket.pause();
        setImmediate(() => socket.resume());
      });
    });
    const child = daemon.start(command);
    const ran = endOf(child);
    child.stdin?.end(Buffer.alloc(1_000_000, 'x\n'));
    assert.equal(assertEnded(await ran, 67), 'nobody');
  });

  test(`${name}: an answer before the message was read ends it, wherever the message is`, async () => {
    for (const bytes of [0, 10, 3_000_000]) {
      await using daemon = await FakeDaemon.listen((socket) => socket.write('67 nobody\n'));
      const child = daemon.start(command);
      const ran = endOf(child);
      if (bytes > 0) child.stdin?.write(Buffer.alloc(bytes, 'x\n'));
      // Its input goes on and on.
      assert.equal(assertEnded(await ran, 67), 'nobody');
    }
  });

  test(`${name}: done is not believed before the message has ended`, async () => {
    await using daemon = await FakeDaemon.listen((socket) => socket.write('0 done\n'));
    const child = daemon.start(command);
    const ran = endOf(child);
    await feed(child, Buffer.from('a: b\n'));
    assertEnded(await ran, 75);
  });

  test(`${name}: a daemon that ends its side and does not read is one that went away`, async () => {
    await using daemon = await FakeDaemon.listen((socket) => socket.pause().end());
    const child = daemon.start(command);
    const ran = endOf(child);
    child.stdin?.write(Buffer.alloc(3_000_000));
    assert.match(assertEnded(await ran, 75), /went away/);
  });
}

/** A folder with a trampoline compiled in another way, and a program beside it; undefined where there is no compiler. */
async function compiled(
  t: TestContext,
  folder: string,
  program: string,
  options: readonly string[] = [],
): Promise<string | undefined> {
  const output = join(folder, 'mstore-lda');
  const { error, status, stderr } = spawnSync('cc', [...strictly, ...options, '-o', output, source], {
    encoding: 'utf8',
  });
  if (error !== undefined) {
    t.skip('there is no C compiler');
    return undefined;
  }
  assert.equal(status, 0, stderr);
  await writeFile(join(folder, 'main.js'), program);
  return output;
}

const node = `-DNODE="${process.execPath}"`;

test('the trampoline compiles without a warning, at any level', async (t) => {
  await using temp = await tempDirectory();
  for (const level of ['-O0', '-O2', '-O3']) {
    if ((await compiled(t, temp.path, '', [level])) === undefined) return;
  }
});

test('what the program behind the trampoline exits with becomes one of the five codes', async (t) => {
  await using temp = await tempDirectory();
  const trampoline = await compiled(t, temp.path, 'process.exit(Number(process.argv.at(-1)));', [node]);
  if (trampoline === undefined) return;
  const codes = { 0: 0, 65: 65, 67: 67, 75: 75, 77: 77, 1: 75, 2: 75, 66: 75, 78: 75, 127: 75, 255: 75 };
  for (const [given, expected] of Object.entries(codes)) {
    const child: ChildProcess = spawn(trampoline, ['--data', join(temp.path, 'none'), given]);
    assert.equal((await endOf(child)).code, expected, given);
  }
  await writeFile(join(temp.path, 'main.js'), 'process.kill(process.pid, "SIGKILL");');
  assert.match(assertEnded(await endOf(spawn(trampoline, ['x'])), 75), /signal/);
  await writeFile(join(temp.path, 'main.js'), 'process.abort();');
  assert.equal((await endOf(spawn(trampoline, ['x']))).code, 75);
  await rm(join(temp.path, 'main.js'));
  assert.match(assertEnded(await endOf(spawn(trampoline, ['x'])), 75), /main\.js/);
});

test('the program gets the arguments as they are, and is found where the trampoline really lies', async (t) => {
  await using temp = await tempDirectory();
  const program = 'process.stderr.write(JSON.stringify(process.argv.slice(2))); process.exit(67);';
  const trampoline = await compiled(t, temp.path, program, [node]);
  if (trampoline === undefined) return;
  const elsewhere = join(temp.path, 'elsewhere');
  await mkdir(elsewhere);
  await symlink('../mstore-lda', join(elsewhere, 'lda'));
  const args = ['', '--', 'a b', '"', '--data', '\u00e9'];
  const { code, line } = await endOf(spawn(join(elsewhere, 'lda'), args));
  assert.deepEqual([code, JSON.parse(line)], [67, args]);
});

test('without Node the message stays with the mail server', async (t) => {
  await using temp = await tempDirectory();
  for (const options of [[], ['-DNODE="/nonexistent/node"']]) {
    const trampoline = await compiled(t, temp.path, '', options);
    if (trampoline === undefined) return;
    const ran = await endOf(spawn(trampoline, ['x'], { env: { PATH: temp.path } }));
    assert.match(assertEnded(ran, 75), /Node\.js cannot be started/);
    // Any node of the PATH will do, such as this one.
    await writeFile(join(temp.path, 'node'), '#!/bin/sh\nexit 65\n');
    await chmod(join(temp.path, 'node'), 0o755);
    assert.equal((await endOf(spawn(trampoline, ['x'], { env: { PATH: temp.path } }))).code, 65);
    await rm(join(temp.path, 'node'));
  }
});

test('a trampoline to whom nothing happens gives up, whoever is to blame', async (t) => {
  await using temp = await tempDirectory();
  const trampoline = await compiled(t, temp.path, '', ['-DPATIENCE_MS=200']);
  if (trampoline === undefined) return;
  const silent = (): void => undefined;
  for (const input of ['', 'a: b\n', 'x'.repeat(3_000_000)]) {
    await using daemon = await FakeDaemon.listen((socket) => socket.on('data', silent));
    const child = daemon.start([trampoline]);
    const ran = endOf(child);
    // Once with its input at an end, so that only the answer is missing, else with an input that stops.
    if (input === '') child.stdin?.end('a: b\n\nc\n');
    else child.stdin?.write(input);
    assert.match(assertEnded(await ran, 75), /nothing moved/);
  }
  await using unread = await FakeDaemon.listen((socket) => socket.pause());
  const child = unread.start([trampoline]);
  const ran = endOf(child);
  child.stdin?.write(Buffer.alloc(3_000_000));
  assert.match(assertEnded(await ran, 75), /nothing moved/);
});

test('every signal that can be caught is 75', async (t) => {
  await using temp = await tempDirectory();
  const trampoline = await compiled(t, temp.path, '');
  if (trampoline === undefined) return;
  await using daemon = await FakeDaemon.listen((socket) => socket.resume());
  // Those that cannot be caught, end nobody, or belong to the C library.
  const harmless = new Set([9, 13, 17, 18, 19, 20, 21, 22, 23, 28, 32, 33]);
  for (let number = 1; number <= 64; number++) {
    if (harmless.has(number)) continue;
    const child = daemon.start([trampoline]);
    const ran = endOf(child);
    await feed(child, Buffer.alloc(1_000_000));
    process.kill(child.pid ?? 0, number);
    assert.match(assertEnded(await ran, 75), /signal/, String(number));
  }
});

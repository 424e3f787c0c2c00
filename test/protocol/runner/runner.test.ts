/** The runner itself, on a daemon of a few lines: what fits passes, and what does not is named with its line. */
import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { accepts, expand, shown } from './pattern.ts';
import { contentOctets, contentPattern, play } from './run.ts';
import { parseTranscript } from './transcript.ts';

/** Greets, echoes lines, lists three names for LIST, closes at QUIT. */
function answer(socket: Socket): void {
  socket.write('hello 42\r\n');
  socket.on('error', () => undefined);
  socket.on('data', (octets) => {
    for (const line of octets.toString('latin1').split('\r\n').slice(0, -1)) {
      if (line === 'LIST') socket.write('one\r\ntwo\r\nthree\r\n.\r\n');
      else if (line === 'QUIT') socket.end('bye\r\n');
      else socket.write(Buffer.from(`${line}\r\n`, 'latin1'));
    }
  });
}

async function playing(dialogue: string): Promise<string[]> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const place = server.address();
  assert.ok(place !== null && typeof place === 'object');
  const done: string[] = [];
  const stage = {
    address: () => `127.0.0.1:${place.port}`,
    act: async (words: string, content: readonly string[]) => void done.push([words, ...content].join('|')),
  };
  try {
    await play(parseTranscript(`# A test.\n---\n${dialogue}`), stage, 'echo');
    return done;
  } finally {
    server.close();
  }
}

test('a dialogue that goes as written passes', async () => {
  const done = await playing(
    [
      'S: hello {{answer}}',
      'C: a {{answer}}',
      'C: b\\0\\xff{{repeat 3 xy}}\\',
      'C:  end',
      'S: a 42',
      'S: b\\0\\xffxyxyxy end',
      'do something',
      '| with this',
      '|',
      '| and that',
      'C: LIST',
      'unordered {',
      'S: two',
      'S: ...',
      '}',
      'S: .',
      'C: LIST',
      'S: ...',
      'S: .',
      'S2: hello {{answer}}',
      'C2: QUIT',
      'S2: bye',
      'connection 2 is closed',
    ].join('\n'),
  );
  assert.deepEqual(done, ['do something|with this||and that']);
});

test('what goes otherwise is named with its line', async () => {
  const opening = 'S: hello 42\n';
  for (const [dialogue, error] of [
    ['S: hello 43', /^line 3: got {6}hello 42\n {2}expected hello 43$/],
    [`${opening}C: LIST\nunordered {\nS: one\nS: two\n}\n`, /connection 1 said more: three/],
    [`${opening}C: LIST\nunordered {\nS: four\nS: ...\n}\nS: .`, /^line 5: missing: four$/],
    [`${opening}C: QUIT\nS: bye\nS: again`, /^line 6: the daemon ended; expected again$/],
    [`${opening}C: a\nC: QUIT\nconnection 1 is closed`, /^line 6: said before it closed: a\\r\\nbye\\r\\n/],
    [`${opening}C: {{unknown}}`, /^line 4: nothing is known to send/],
  ] as const) {
    await assert.rejects(playing(dialogue), (thrown) => {
      assert.match(thrown instanceof Error ? thrown.message : '', error);
      return true;
    });
  }
});

test('a transcript that is not one is refused', () => {
  assert.throws(() => parseTranscript('S: hello\n'), /begins with a comment/);
  assert.throws(() => parseTranscript('# A title\nuser ann\n'), /line of ---/);
  assert.throws(() => parseTranscript('# A title\nS: hello\n---\n'), /line 2: a dialogue begins after/);
  assert.throws(() => parseTranscript('# A title\n---\nunordered {\nS: a\n'), /line 3: no \}/);
});

test('patterns keep what they are told to, and give it again', () => {
  const variables = new Map<string, string>();
  assert.ok(accepts('+OK {{size:/\\d+/}} octets {{size}}', '+OK 12 octets 12', variables));
  assert.equal(variables.get('size'), '12');
  assert.ok(!accepts('{{size}}', '13', variables));
  assert.ok(accepts('a.b(c) {{*}}', 'a.b(c) \0\r', variables));
  assert.ok(!accepts('a.b', 'axb', variables));
  assert.equal(expand('{{base64 \\0ann\\0secret}} {{size}}', variables).toString(), 'AGFubgBzZWNyZXQ= 12');
  assert.equal(expand('ü', variables).length, 2);
  assert.throws(() => expand('\\q', variables), /is no escape/);
  assert.throws(() => expand('{{repeat x}}', variables), /means nothing/);
  assert.equal(shown('a\r\n\0\xff'), 'a\\r\\n\\0\\xff');
});

test('content is lines with CRLF, but where a backslash ends one', () => {
  assert.equal(contentOctets(['a', '', '\\rb\\'], new Map()).toString('latin1'), 'a\r\n\r\n\rb');
  const pattern = contentPattern(['first', '...', 'last']);
  assert.ok(accepts(pattern, 'first\r\nx\r\ny\r\nlast\r\n', new Map()));
  assert.ok(accepts(pattern, 'first\r\nlast\r\n', new Map()));
  assert.ok(!accepts(pattern, 'first\r\nx last\r\n', new Map()));
});

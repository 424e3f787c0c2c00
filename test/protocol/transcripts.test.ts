/** Plays every transcript, each on daemons and a store of its own (README.md). */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { repositoryRoot } from '../support/repository.ts';
import { knownDifferences } from './known-differences.ts';
import { play, prepare } from './runner/run.ts';
import { DaemonStage } from './runner/stage.ts';
import { parseTranscript, type Transcript } from './runner/transcript.ts';

const folder = join(repositoryRoot, 'test/protocol');
const protocols = ['imap', 'lmtp', 'pop3'] as const;

async function perform(transcript: Transcript, protocol: string): Promise<void> {
  await using stage = await DaemonStage.prepare(transcript);
  await prepare(transcript, (...what) => stage.act(...what));
  await stage.start();
  await play(transcript, stage, protocol);
}

for (const protocol of protocols) {
  const names = readdirSync(join(folder, protocol)).filter((name) => name.endsWith('.txt'));
  describe(protocol, { concurrency: 4 }, () => {
    for (const name of names) {
      const path = `${protocol}/${name}`;
      const transcript = parseTranscript(readFileSync(join(folder, path), 'utf8'));
      test(`${path}: ${transcript.title}`, async (t) => {
        const reason = knownDifferences.get(path);
        if (reason === undefined) return perform(transcript, protocol);
        t.diagnostic(reason);
        await assert.rejects(perform(transcript, protocol), `${path} plays: take it out of known-differences.ts`);
      });
    }
  });
}

test('every known difference is that of a transcript', () => {
  const there = protocols.flatMap((protocol) =>
    readdirSync(join(folder, protocol)).map((name) => `${protocol}/${name}`),
  );
  assert.deepEqual(
    [...knownDifferences.keys()].filter((path) => !there.includes(path)),
    [],
  );
});

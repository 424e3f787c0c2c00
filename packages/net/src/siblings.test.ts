import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Siblings } from './siblings.ts';
import { Company } from './support.test.ts';

test('what one tells is heard by all others, once and in order, with the pid it came from', () => {
  const company = new Company();
  const heard: string[] = [];
  const all = [1, 2, 3].map((pid) => company.enter(pid));
  for (const [at, siblings] of all.entries()) {
    siblings.hear('news', (args, from) => void heard.push(`${at + 1} from ${from}: ${args.join()}`));
  }
  all[0]?.tell('news', ['a', 'b']);
  all[2]?.tell('news', ['c']);
  all[1]?.tell('gossip', ['d']);
  assert.deepEqual(heard, ['2 from 1: a,b', '3 from 1: a,b', '1 from 3: c', '2 from 3: c']);
});

test('who joins and who goes is told to those who stay', () => {
  const company = new Company();
  const heard: string[] = [];
  const first = company.enter(1);
  first.hear('joined', (_, from) => void heard.push(`joined ${from}`));
  first.hear('gone', (_, from) => void heard.push(`gone ${from}`));
  const second = company.enter(2);
  company.leave(2);
  second.tell('gone', []);
  assert.deepEqual(heard, ['joined 2', 'gone 2']);
});

test('a question that the supervisor does not know is a failure, and so is one without a supervisor', async () => {
  await assert.rejects(new Company().enter(1).ask('weather', []), /nothing is known about weather/);
  const alone = new Siblings();
  assert.equal(alone.areSupervised, false);
  alone.tell('news', []);
  await assert.rejects(alone.ask('claim', ['a', '1']), /there is no supervisor/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Service } from './service.ts';

test('a service is started, takes and gives mail, is killed, starts again and stops', async () => {
  await using service = await Service.start({ users: ['ada@example.org', 'bob@example.org'] });
  const message = Buffer.from('Subject: dots\r\n\r\n.\r\n..\r\nend\r\n');
  const recipients = ['ada@example.org', 'nobody@example.org', 'bob+x@example.org'];
  const replies = await service.deliver({ sender: 'eve@example.net', recipients, message });
  assert.deepEqual(
    replies.map(({ code }) => code),
    [250, 550, 250],
  );
  await service.kill();
  await service.start();
  for (const user of ['ada', 'bob']) {
    const [delivered, ...more] = await service.maildrop(`${user}@example.org`);
    assert.ok(delivered?.subarray(-message.length).equals(message));
    assert.deepEqual(more, []);
  }
});

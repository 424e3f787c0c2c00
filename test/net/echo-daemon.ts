/** The smallest daemon: greets, echoes lines; `crash` is a bug, `badReload` a configuration that is wrong. For `process.test.ts`. */
import {
  type Connection,
  ConnectionCounter,
  DeadlineWheel,
  LineReader,
  Listener,
  openLog,
  parseListenAddress,
  runProcess,
} from '@mstore/net';

async function echo(connection: Connection): Promise<void> {
  const lines = new LineReader(connection);
  connection.write(`hello from ${process.pid}\r\n`);
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    if (String(line) === 'crash') setImmediate(() => Promise.reject(new Error('nobody catches this')));
    await connection.write(`${line}\r\n`);
  }
  connection.write(`bye ${connection.farewell}\r\n`);
}

const [at = '127.0.0.1:0'] = process.argv.slice(2);
const log = openLog({ name: 'echo' });

await runProcess({ log, drainMs: 2_000, endWithParent: true }, async () => {
  const options = {
    wheel: new DeadlineWheel(),
    counter: new ConnectionCounter(),
    serve: echo,
    failed: (error: unknown) => log.error('session failed', {}, error),
    refusal: () => 'busy\r\n',
  };
  const listener = at.startsWith('fd:')
    ? await Listener.listenOn(Number(at.slice(3)), options, 'inherited')
    : await Listener.listen(parseListenAddress(at), options);
  return {
    ready: { echo: [listener.address] },
    drain: (deadlineMs) => listener.drain(deadlineMs),
    reload: async () => {
      throw new Error('the new configuration is wrong');
    },
  };
});

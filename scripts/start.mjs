/** `npm start`: sets the checkout up and serves the demonstration's store; arguments and the exit code are `mstore demo`'s. */
import { join } from 'node:path';
import { root, run } from './process.mjs';
import { setup } from './setup.mjs';

const program = join(root, 'packages/cli/dist/main.js');

async function start(args) {
  const code = await setup();
  if (code !== 0) return code;
  return run(process.execPath, [program, 'demo', '--serve', ...args]);
}

process.exitCode = await start(process.argv.slice(2));

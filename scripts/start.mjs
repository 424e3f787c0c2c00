/** `npm start`: sets the checkout up and runs the demo; arguments and the exit code are the demo's. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './process.mjs';
import { setup } from './setup.mjs';

const demo = join(root, 'packages/cli/dist/demo.js');

async function start(args) {
  const code = await setup();
  if (code !== 0) return code;
  if (!existsSync(demo)) {
    console.error('This checkout is installed and built, but has no demo to run yet.');
    return 1;
  }
  return run(process.execPath, [demo, ...args]);
}

process.exitCode = await start(process.argv.slice(2));

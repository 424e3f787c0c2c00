/** `mstore serve` with pretended daemons: arguments are the directory, then `--config FILE`, `--listen NAME=ADDRESS`, `--any-port`. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Run } from '@mstore/cli/internal/command';
import { sayFailure } from '@mstore/cli/internal/errors';
import { Output } from '@mstore/cli/internal/output';
import { serve } from '@mstore/cli/internal/serve';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    config: { type: 'string' },
    listen: { type: 'string', multiple: true },
    'any-port': { type: 'boolean', default: false },
    'ready-ms': { type: 'string' },
  },
});
const file = fileURLToPath(new URL('./pretend-daemon.js', import.meta.url));
const [data = ''] = positionals;
const run = new Run([], { data, json: true }, new Output(process.stdout));
try {
  await serve(run, {
    ...(values.config !== undefined && { config: values.config }),
    ...(values.listen !== undefined && { listen: values.listen }),
    anyPort: values['any-port'],
    programs: [
      { name: 'writer', file, sockets: ['lmtp', 'lda'], argsAfter: new Map([[3, ['--told']]]) },
      { name: 'pop3', file, sockets: ['pop3'], readyMs: Number(values['ready-ms'] ?? 60_000) },
    ],
  });
} catch (error) {
  process.exitCode = sayFailure(error).exit;
}

/** `mstore config` */
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { exit } from './errors.ts';
import { table } from './text.ts';

const manual = `
Prints every key of DIR/mstore.toml with its value and where that came from: "file", or "default" where the file does not
set it. An unknown key or a wrong value is an error that names it (exit code 78). Sizes are in octets.`;

export function addConfig(program: Command): void {
  const config = program.command('config').description('the configuration');
  works(
    config.command('show').description('print all keys, their values and origins').addHelpText('after', manual),
    show,
  );
}

async function show(run: Run): Promise<number> {
  const { path, settings } = await run.config();
  // As the file wants it.
  const rows = settings.map(({ key, value, origin }) => [key, JSON.stringify(value), origin]);
  const keys = Object.fromEntries(settings.map(({ key, value, origin }) => [key, { value, origin }]));
  await run.answer({ path, settings: keys }, table(rows));
  return exit.done;
}

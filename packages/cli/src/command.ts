/** What every command has: its arguments, the store's directory, the configuration, and a way to answer. */
import { readFileSync } from 'node:fs';
import type { LoadedConfig } from '@mstore/store';
import { Command } from 'commander';
import { CommandError, exit } from './errors.ts';
import { Output } from './output.ts';
import { type Progress, startProgress } from './progress.ts';
import { readConfig } from './read-config.ts';

export interface GlobalOptions {
  readonly data?: string;
  readonly json?: boolean;
}

const output: { current: Output | undefined } = { current: undefined };

/** One run of a command. */
export class Run {
  readonly args: readonly string[];
  readonly json: boolean;
  readonly out: Output;
  readonly #data: string | undefined;
  #config: Promise<LoadedConfig> | undefined;

  constructor(args: readonly string[], options: GlobalOptions, out: Output) {
    this.args = args;
    this.json = options.json ?? false;
    this.out = out;
    this.#data = options.data ?? process.env.MSTORE_DATA;
  }

  /** The store's directory. @throws CommandError usage, where nobody named it */
  get directory(): string {
    if (this.#data === undefined || this.#data === '') {
      throw new CommandError(exit.usage, 'no store was named: use --data DIR, or set MSTORE_DATA');
    }
    return this.#data;
  }

  /** As `directory`, with a place to use where none was named. */
  directoryOr(fallback: string): string {
    return this.#data === undefined || this.#data === '' ? fallback : this.#data;
  }

  /** The store's configuration, read once. */
  config(): Promise<LoadedConfig> {
    this.#config ??= readConfig(this.directory);
    return this.#config;
  }

  /** The n-th argument; commander made sure that it is there. */
  arg(at: number): string {
    const value = this.args[at];
    if (value === undefined) throw new CommandError(exit.usage, `argument ${at + 1} is missing`);
    return value;
  }

  /** The command's answer: one JSON object, or text. */
  async answer(value: object, text: string): Promise<void> {
    await this.out.write(this.json ? `${JSON.stringify(value)}\n` : text);
  }

  /** Something the person should know, beside the answer. */
  note(text: string): void {
    process.stderr.write(`mstore: ${text}\n`);
  }

  progress(what: string, unit: string): Progress {
    return startProgress(what, unit, !this.json);
  }
}

/** Gives a command its work; what it returns is the exit code. */
export function works<Options extends object>(
  command: Command,
  work: (run: Run, options: Options) => Promise<number>,
): Command {
  return command.action(async () => {
    const options = command.optsWithGlobals<Options & GlobalOptions>();
    output.current ??= new Output(process.stdout);
    const run = new Run(command.args, options, output.current);
    process.exitCode = await work(run, options);
    await run.out.flush();
  });
}

/** This package's. */
function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}

/** The program, with what all commands share. */
export function newProgram(): Command {
  return new Command('mstore')
    .description('A mail message store.')
    .version(`mstore ${version()}`, '--version', 'print the version')
    .option('--data <dir>', 'the directory of the store (or set MSTORE_DATA)')
    .option('--json', 'print one JSON object')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'mstore: ')) })
    .showSuggestionAfterError()
    .exitOverride();
}

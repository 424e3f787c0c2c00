/**
 * The configuration of a store: `mstore.toml` in its directory. One schema says which keys exist, what they may be and what
 * they are by default; a key it does not know is an error, so that a misspelt one is not silently without effect.
 */
import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import { z } from 'zod';
import { errnoOf, errorText } from './errors.ts';
import { limits } from './limits.ts';

/** `mstore.toml` cannot be read as what it should be; the message names the file, the key and what was expected. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Octets written as a number or with K, M, G or T (powers of 1024); undefined for anything else. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,15})([KMGT]?)$/i.exec(text.trim());
  if (match === null) return undefined;
  const bytes = Number(match[1]) * (units[(match[2] ?? '').toUpperCase()] ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function octets(min: number, max: number, fallback: number): z.ZodDefault<z.ZodType<number, unknown>> {
  const error = `must be ${min} to ${max} octets, as a number or as text such as "64M"`;
  const asNumber = (value: unknown): unknown => (typeof value === 'string' ? parseBytes(value) : value);
  return z.preprocess(asNumber, z.int({ error }).min(min, { error }).max(max, { error })).default(fallback);
}

const daysMax = 3_650;
const days = `must be a whole number of days, 0 to ${daysMax}`;

/** Every key, with its value. */
export interface Config {
  readonly limits: { readonly messageBytes: number };
  readonly heap: { readonly segmentBytes: number };
  /** Days. */
  readonly retention: { readonly expunged: number };
  readonly delivery: { readonly detail: 'inbox' | 'create' };
}

const schema: z.ZodType<Config> = z.strictObject({
  limits: z.strictObject({ messageBytes: octets(1_024, 2 ** 30, limits.messageBytes) }).prefault({}),
  heap: z.strictObject({ segmentBytes: octets(2 ** 20, 2 ** 36, limits.segmentBytes) }).prefault({}),
  retention: z
    .strictObject({ expunged: z.int({ error: days }).min(0, { error: days }).max(daysMax, { error: days }).default(7) })
    .prefault({}),
  delivery: z
    .strictObject({ detail: z.enum(['inbox', 'create'], { error: 'must be "inbox" or "create"' }).default('inbox') })
    .prefault({}),
});

/** One key with what it is and where that came from. */
export interface Setting {
  readonly key: string;
  readonly value: string | number;
  readonly origin: 'default' | 'file';
}

export interface LoadedConfig {
  readonly path: string;
  readonly config: Config;
  readonly settings: readonly Setting[];
}

/** What `mstore init` writes: every key as a comment with its default. */
export const configTemplate = `# mstore's configuration. Keys that are not set have the default shown; sizes may be written as "64M".

[limits]
# messageBytes = "64M"      # the largest message taken, in octets

[heap]
# segmentBytes = "128M"     # octets after which a segment of the heap takes no further batch

[retention]
# expunged = 7              # days that an expunged message can be brought back; not used yet: nothing is purged

[delivery]
# detail = "inbox"          # mail for user+detail where no mailbox "detail" exists: into INBOX, or "create" the mailbox
`;

export function configPath(directory: string): string {
  return `${directory}/mstore.toml`;
}

/** Reads the store's configuration; a missing file means the defaults. @throws ConfigError */
export async function loadConfig(directory: string): Promise<LoadedConfig> {
  const path = configPath(directory);
  const given = parseFile(path, await textOf(path));
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new ConfigError(`${path}: ${parsed.error.issues.map(issueText).join('; ')}`);
  const inFile = new Set(settingsOf(given).map(([key]) => key));
  const settings = settingsOf(parsed.data).map(([key, value]): Setting => {
    return {
      key,
      value: typeof value === 'number' ? value : String(value),
      origin: inFile.has(key) ? 'file' : 'default',
    };
  });
  return { path, config: parsed.data, settings };
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw new ConfigError(`${path} cannot be read: ${errorText(error)}`);
  }
}

function parseFile(path: string, text: string): object {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ''] = error.message.split('\n');
    throw new ConfigError(`${path}, line ${error.line}: ${reason.replace(/^Invalid TOML document: /, '')}`);
  }
}

/** `table.key` with its value, for each key of each table. */
function settingsOf(tables: object): [string, unknown][] {
  return Object.entries(tables).flatMap(([table, keys]) =>
    typeof keys === 'object' && keys !== null
      ? Object.entries(keys).map(([key, value]): [string, unknown] => [`${table}.${key}`, value])
      : [],
  );
}

function issueText(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `unknown key ${[...path, key].join('.')}`).join('; ');
  }
  if (path.length < 2) return `${path.join('.')} must be a table`;
  return `${path.join('.')} ${issue.message}`;
}

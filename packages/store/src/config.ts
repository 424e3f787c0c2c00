/**
 * The configuration of a store: `mstore.toml` in its directory. One schema says which keys exist, what they may be and what
 * they are by default; a key it does not know is an error, so that a misspelt one is not silently without effect.
 */
import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import { z } from 'zod';
import { errnoOf, errorText } from './errors.ts';
import { limits } from './limits.ts';
import { type Retention, retentionDaysMax } from './mail/retention.ts';

/** `mstore.toml` cannot be read as what it should be; the message names the file, the key and what was expected. */
export class ConfigError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
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

function days(fallback: number): z.ZodDefault<z.ZodType<number>> {
  return whole(0, retentionDaysMax, 'days', fallback);
}

function whole(min: number, max: number, unit: string, fallback: number): z.ZodDefault<z.ZodType<number>> {
  const error = `must be a whole number of ${unit}, ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).default(fallback);
}

function share(fallback: number): z.ZodDefault<z.ZodType<number>> {
  const error = 'must be a share from 0 to 1';
  return z.number({ error }).min(0, { error }).max(1, { error }).default(fallback);
}

function oneOf<const Choice extends string>(
  choices: readonly Choice[],
  fallback: NoInfer<Choice>,
): z.ZodDefault<z.ZodType<Choice>> {
  const error = `must be ${choices.map((choice) => `"${choice}"`).join(' or ')}`;
  const choice: z.ZodType<Choice> = z.custom<Choice>((value) => choices.some((known) => known === value), { error });
  return choice.default(() => fallback);
}

function text(fallback: string): z.ZodDefault<z.ZodType<string>> {
  return z.string({ error: 'must be text' }).default(fallback);
}

function yes(fallback: boolean): z.ZodDefault<z.ZodType<boolean>> {
  return z.boolean({ error: 'must be true or false' }).default(fallback);
}

/** Addresses to listen on; what they mean is checked where they are opened. */
function addresses(...fallback: readonly string[]): z.ZodDefault<z.ZodType<readonly string[], unknown>> {
  const error = 'must be an address, or a list of them, as "127.0.0.1:24", "[::1]:24" or "unix:PATH"';
  const asList = (value: unknown): unknown => (typeof value === 'string' ? [value] : value);
  return z.preprocess(asList, z.array(z.string({ error }), { error })).default(() => [...fallback]);
}

/** Every key, with its value. */
export interface Config {
  readonly server: {
    /** Our name in greetings and Received lines; empty for the machine's. */
    readonly name: string;
    /** Of the routes that the directory gives, the one that leads here. */
    readonly route: string;
    /** Seconds that sessions have when we stop. */
    readonly drain: number;
    readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  };
  /** Addresses; a relative Unix path is below the store's directory. */
  readonly listen: {
    readonly lmtp: readonly string[];
    readonly pop3: readonly string[];
    readonly imap: readonly string[];
    readonly metrics: readonly string[];
  };
  readonly login: {
    /** The domain of logins without one; empty: there are none. */
    readonly defaultDomain: string;
  };
  readonly quota: { readonly overQuota: 'temporary' | 'permanent' };
  readonly lmtp: { readonly connections: number };
  readonly pop3: {
    readonly connections: number;
    /** Seconds. */
    readonly loginDelay: number;
    /** Passwords may cross networks in the clear. */
    readonly plaintextAnywhere: boolean;
    readonly nul: 'as-is' | 'replace';
    /** Processes; 0: as many as fit the machine. */
    readonly workers: number;
  };
  readonly imap: {
    readonly connections: number;
    /** From one address (IPv6: one /64); loopback and Unix sockets excepted. */
    readonly addressConnections: number;
    /** Of one user. */
    readonly userConnections: number;
    /** Passwords may cross networks in the clear. */
    readonly plaintextAnywhere: boolean;
    /** Processes; 0: as many as fit the machine. */
    readonly workers: number;
  };
  readonly limits: { readonly messageBytes: number };
  readonly heap: { readonly segmentBytes: number };
  readonly compaction: {
    /** Whether a service compacts by itself. */
    readonly automatic: boolean;
    /** The least share of garbage of a segment that is worth it. */
    readonly garbage: number;
    /** Octets of segments gone through per second at most. */
    readonly rate: number;
    /** Seconds without deliveries and other changes after which the store is quiet. */
    readonly idle: number;
    /** Seconds from the retirement of a segment to the end of its file. */
    readonly keep: number;
  };
  /** When a service makes a checkpoint by itself; 0 for never for this reason. */
  readonly checkpoint: { readonly ageHours: number; readonly logBytes: number };
  readonly scrub: {
    /** Octets a second. */
    readonly rate: number;
    /** Days between the beginnings of two passes; 0: none by itself. */
    readonly interval: number;
  };
  /** Octets: free ones below which new mail, and then every change, is refused; of the reserve file. */
  readonly space: { readonly newMail: number; readonly changes: number; readonly reserve: number };
  readonly retention: Retention;
  readonly delivery: {
    readonly detail: 'inbox' | 'create';
    /** What parts a name from its detail; empty for none. */
    readonly detailSeparator: string;
  };
}

const schema: z.ZodType<Config> = z.strictObject({
  limits: z.strictObject({ messageBytes: octets(1_024, 2 ** 30, limits.messageBytes) }).prefault({}),
  heap: z.strictObject({ segmentBytes: octets(2 ** 20, 2 ** 36, limits.segmentBytes) }).prefault({}),
  compaction: z
    .strictObject({
      automatic: yes(true),
      garbage: share(0.3),
      rate: octets(65_536, 2 ** 40, 33_554_432),
      idle: whole(1, 86_400, 'seconds', 60),
      keep: whole(1, 86_400, 'seconds', limits.retiredFileMs / 1_000),
    })
    .prefault({}),
  checkpoint: z
    .strictObject({ ageHours: whole(0, 8_760, 'hours', 24), logBytes: octets(0, 2 ** 50, 2 ** 32) })
    .prefault({}),
  scrub: z.strictObject({ rate: octets(16_384, 2 ** 40, 2 ** 21), interval: whole(0, 3_650, 'days', 30) }).prefault({}),
  space: z
    .strictObject({
      newMail: octets(0, 2 ** 50, limits.newMailFreeBytes),
      changes: octets(0, 2 ** 50, limits.changesFreeBytes),
      reserve: octets(0, 2 ** 36, limits.reserveBytes),
    })
    .prefault({}),
  retention: z.strictObject({ expunged: days(7), trash: days(0), junk: days(0), pop3: days(0) }).prefault({}),
  delivery: z.strictObject({ detail: oneOf(['inbox', 'create'], 'inbox'), detailSeparator: text('+') }).prefault({}),
  server: z
    .strictObject({
      name: text(''),
      route: text('local'),
      drain: whole(0, 3_600, 'seconds', 20),
      logLevel: oneOf(['debug', 'info', 'warn', 'error'], 'info'),
    })
    .prefault({}),
  listen: z
    .strictObject({
      lmtp: addresses('127.0.0.1:2424', 'unix:run/lmtp.sock'),
      pop3: addresses('127.0.0.1:2110'),
      imap: addresses('127.0.0.1:2143'),
      metrics: addresses(),
    })
    .prefault({}),
  login: z.strictObject({ defaultDomain: text('') }).prefault({}),
  quota: z.strictObject({ overQuota: oneOf(['temporary', 'permanent'], 'temporary') }).prefault({}),
  lmtp: z.strictObject({ connections: whole(1, 100_000, 'connections', 1_000) }).prefault({}),
  pop3: z
    .strictObject({
      connections: whole(1, 100_000, 'connections', 10_000),
      loginDelay: whole(0, 86_400, 'seconds', 0),
      plaintextAnywhere: yes(false),
      nul: oneOf(['as-is', 'replace'], 'as-is'),
      workers: whole(0, 64, 'processes', 0),
    })
    .prefault({}),
  imap: z
    .strictObject({
      connections: whole(1, 100_000, 'connections', 10_000),
      addressConnections: whole(1, 100_000, 'connections', 500),
      userConnections: whole(1, 100_000, 'connections', 50),
      plaintextAnywhere: yes(false),
      workers: whole(0, 64, 'processes', 0),
    })
    .prefault({}),
});

type SettingValue = string | number | boolean | readonly string[];

/** One key with what it is and where that came from. */
export interface Setting {
  readonly key: string;
  readonly value: SettingValue;
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

[compaction]
# automatic = true          # a running service gives garbage back to the disk by itself
# garbage = 0.3             # the least share of garbage of a segment that is worth it, 0 to 1
# rate = "32M"              # octets of segments gone through per second at most
# idle = 60                 # seconds without changes after which the store is quiet
# keep = 300                # seconds that the file of a segment stays after it was compacted, for those who read in it

[checkpoint]                # the service writes the catalog to a file, from which rebuild and restore begin
# ageHours = 24             # when the last one is so old; 0 for never
# logBytes = "4G"           # when so much was logged since; 0 for never

[scrub]                     # reading the heap in the background, to find damage while a backup can still mend it
# rate = "2M"               # octets a second
# interval = 30             # days between the beginnings of two passes; 0: only by command

[space]                     # of the disk; on a small one less: an eighth, a thirty-second and a sixteenth of it
# newMail = "256M"          # free octets below which new mail is refused for now
# changes = "64M"           # free octets below which every change is refused for now, but those that give space back
# reserve = "128M"          # octets kept in the file "reserve" for purge and compaction on a full disk; 0 for none

[retention]
# expunged = 7              # days that what was expunged or deleted can be brought back; then it goes for good
# trash = 0                 # days after which messages in Trash are expunged; 0: never
# junk = 0                  # the same in Junk
# pop3 = 0                  # the same in INBOX, which POP3 then announces (EXPIRE); 0: never

[delivery]
# detail = "inbox"          # mail for user+detail where no mailbox "detail" exists: into INBOX, or "create" the mailbox
# detailSeparator = "+"     # what parts a name from its detail; "" for no details

[quota]
# overQuota = "temporary"   # mail for a full account: the sender's server tries again, or "permanent": it bounces

[server]
# name = ""                 # our name in greetings and Received lines; "" for the machine's
# route = "local"           # of the routes that the directory gives, the one that leads here
# drain = 20                # seconds that sessions have when the service stops
# logLevel = "info"         # "debug", "info", "warn" or "error"

[listen]                    # 127.0.0.1:PORT, [::1]:PORT or unix:PATH; a relative path is below this directory
# lmtp = ["127.0.0.1:2424", "unix:run/lmtp.sock"]
# pop3 = ["127.0.0.1:2110"]
# imap = ["127.0.0.1:2143"]
# metrics = []              # a page for Prometheus

[login]
# defaultDomain = ""        # the domain of logins without one

[lmtp]
# connections = 1000        # at a time

[pop3]
# connections = 10000       # at a time
# loginDelay = 0            # seconds between two logins of a user
# plaintextAnywhere = false # true: listens beyond loopback without TLS, so that passwords cross the network in the clear
# nul = "as-is"             # NUL in mail is sent as it is, or "replace"d by octet 0x80 for clients that stop there
# workers = 0               # processes that share the work; 0: one for each processor but one, four at most

[imap]
# connections = 10000       # at a time; mail programs keep several open each
# addressConnections = 500  # from one address (IPv6: one /64), but this machine's own
# userConnections = 50      # of one user: a mail program opens some five, and people have several
# plaintextAnywhere = false # true: listens beyond loopback without TLS, so that passwords cross the network in the clear
# workers = 0               # processes that share the work; 0: one for each processor but one, four at most
`;

export function configPath(directory: string): string {
  return `${directory}/mstore.toml`;
}

/**
 * Reads the store's configuration; a missing file means the defaults, except where `file` names another than the store's own.
 * @throws ConfigError
 */
export async function loadConfig(directory: string, file?: string): Promise<LoadedConfig> {
  const path = file ?? configPath(directory);
  const given = parseFile(path, await textOf(path, file === undefined));
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new ConfigError(`${path}: ${parsed.error.issues.map(issueText).join('; ')}`);
  const inFile = new Set(settingsOf(given).map(([key]) => key));
  const settings = settingsOf(parsed.data).map(([key, value]): Setting => {
    return { key, value: settingValue(value), origin: inFile.has(key) ? 'file' : 'default' };
  });
  return { path, config: parsed.data, settings };
}

async function textOf(path: string, mayBeMissing: boolean): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (mayBeMissing && errnoOf(error) === 'ENOENT') return '';
    throw new ConfigError(`${path} cannot be read: ${errorText(error)}`, error);
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

function settingValue(value: unknown): SettingValue {
  if (Array.isArray(value)) return value.map(String);
  return typeof value === 'number' || typeof value === 'boolean' ? value : String(value);
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

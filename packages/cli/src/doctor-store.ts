/** What `mstore doctor` says of a store's directory: what is there, what is known to be damaged, who may read it. */
import { access, constants, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { configuredDirectory, isDirectoryError } from '@mstore/directory';
import {
  type Config,
  errnoOf,
  errorText,
  isStoreError,
  machinePorts,
  openExamined,
  type ScrubState,
  scrubState,
} from '@mstore/store';
import { CommandError, exit } from './errors.ts';
import { counted, humanTime } from './text.ts';

/** A line of the answer: something that is well, or a finding. */
export interface Line {
  readonly area: string;
  readonly ok: boolean;
  readonly text: string;
}

const daySeconds = 86_400;

/** One line for each thing; quick, and beside a service. */
export async function linesOfStore(directory: string, config: Config): Promise<Line[]> {
  const state = await scrubState(machinePorts.fs, directory);
  return [
    ...(await linesOfHeap(directory)),
    lineOfScrub(state, config.scrub.interval, machinePorts.clock.now() / 1_000),
    await lineOfCheckpoint(directory),
    await lineOfUsers(directory, config),
    await lineOfPermissions(directory),
    ...(await linesOfLostAndFound(directory)),
  ];
}

const look = '`mstore fsck` says what is wrong, `mstore fsck --repair --dry-run` what can be done';

async function linesOfHeap(directory: string): Promise<Line[]> {
  try {
    const opened = await openExamined(directory);
    const unlisted = await opened.foreign().finally(() => opened.close());
    const { missing, damaged } = opened.heap.report;
    const lost = [...missing, ...damaged];
    const lines: Line[] = [];
    if (lost.length > 0) {
      lines.push(finding('heap', `${counted(lost.length, 'segment')} cannot be read (${lost.join(', ')}): ${look}`));
    }
    for (const { segment, offset } of opened.openDamage) {
      lines.push(finding('heap', `segment ${segment} is damaged at offset ${offset}: ${look}`));
    }
    if (opened.catalogProblem !== undefined) lines.push(finding('catalog', `${opened.catalogProblem}: ${look}`));
    if (unlisted.length > 0) {
      lines.push(well('heap', `${counted(unlisted.length, 'file')} that no header lists (${unlisted.join(', ')})`));
    }
    if (lines.some(({ ok }) => !ok)) return lines;
    return [...lines, well('heap', `${counted(opened.heap.segments().length, 'segment')}, none missing`)];
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return [finding('heap', `${error.message}: ${look}`)];
  }
}

/** Says how long ago the heap was read through, and what that found. */
function lineOfScrub({ current, last }: ScrubState, intervalDays: number, now: number): Line {
  const findings = (current?.findings.length ?? 0) + (last?.findings.length ?? 0);
  const when = last === undefined ? 'no pass is over yet' : `the last pass ended ${humanTime(last.ended)}`;
  if (findings > 0) return finding('scrub', `${counted(findings, 'finding')}: \`mstore scrub\` lists them; ${look}`);
  const isLate = intervalDays > 0 && last !== undefined && now - last.begun > 2 * intervalDays * daySeconds;
  const late = `${when}, and one shall begin every ${counted(intervalDays, 'day')}: raise scrub.rate, or run \`mstore scrub --now\``;
  return isLate ? finding('scrub', late) : well('scrub', `${when}; nothing is known to be damaged`);
}

async function lineOfCheckpoint(directory: string): Promise<Line> {
  const folder = join(directory, 'checkpoint');
  let newest = 0;
  for (const name of await names(folder)) {
    if (name.endsWith('.ckp')) newest = Math.max(newest, (await stat(join(folder, name))).mtimeMs);
  }
  const none = 'none; a rebuild reads the whole log';
  return well('checkpoint', newest === 0 ? none : `the newest is of ${humanTime(newest / 1_000)}`);
}

async function lineOfUsers(directory: string, config: Config): Promise<Line> {
  const gone =
    'directory.sqlite is missing, so nobody can log in and no mail is taken: bring it back, or `mstore init`';
  if (!(await names(directory)).includes('directory.sqlite')) return finding('users', gone);
  const users = configuredDirectory(directory, config);
  try {
    await users.userNamed('postmaster@localhost');
    return well('users', 'directory.sqlite can be read');
  } catch (error) {
    if (!isDirectoryError(error)) throw error;
    return finding('users', `nobody can log in and no mail is taken: ${error.message}`);
  } finally {
    await users.close();
  }
}

async function lineOfPermissions(directory: string): Promise<Line> {
  const { mode, uid } = await stat(directory);
  const me = process.getuid?.();
  if (me !== undefined && me !== 0 && uid !== me) {
    return finding('permissions', `${directory} belongs to user ${uid}, this is user ${me}: run as the service's user`);
  }
  const problem = await access(directory, constants.W_OK).then(() => undefined, errnoOf);
  if (problem === 'EROFS') {
    const why = 'the kernel makes one so when the device failed: look at the system log';
    return finding(
      'permissions',
      `the file system of ${directory} is read-only, so that nothing can be changed; ${why}`,
    );
  }
  const isOpen = (mode & 0o007) !== 0;
  const open = `everybody on this machine may look into ${directory}: chmod o-rwx it`;
  return isOpen ? finding('permissions', open) : well('permissions', 'only its owner and group may look into it');
}

async function linesOfLostAndFound(directory: string): Promise<Line[]> {
  const kept = (await names(join(directory, 'lost+found'))).filter((name) => !name.endsWith('.json'));
  if (kept.length === 0) return [];
  const text = `${counted(kept.length, 'file')} that repairs took out of use; remove them when nobody misses anything`;
  return [well('lost+found', text)];
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw new CommandError(exit.noPermission, `${folder} cannot be read: ${errorText(error)}`);
  }
}

function well(area: string, text: string): Line {
  return { area, ok: true, text };
}

function finding(area: string, text: string): Line {
  return { area, ok: false, text };
}

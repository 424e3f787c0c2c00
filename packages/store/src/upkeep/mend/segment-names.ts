/**
 * Segment files under wrong names: swapped, or moved by hand. A header says whose a file is, so each gets its own name back. In
 * two steps, because two may have changed places: first aside, to a name that no heap looks at and that says the number,
 * then into its place. Whatever step a crash comes after, the next repair goes on from the names.
 */
import { type SegmentSurvey, segmentName } from '../../heap/survey.ts';
import type { FileSystem } from '../../sys/fs.ts';
import { moveAway } from './lost-and-found.ts';

const aside = /^(\d{16})\.seg\.misnamed(?:\.\d+)?$/;

/** A file and the segment that it holds. */
export interface Misnamed {
  readonly number: number;
  readonly holds: number;
}

/** Files whose header is another segment's; those set aside by a repair that was interrupted have number 0. */
export async function misnamed(fs: FileSystem, directory: string, survey: SegmentSurvey): Promise<Misnamed[]> {
  const wrong = survey.segments.flatMap(({ number, header }) =>
    header === undefined || header.number === number ? [] : [{ number, holds: header.number }],
  );
  const names = await fs.list(`${directory}/heap`);
  const left = names.flatMap((name) => {
    const number = Number(aside.exec(name)?.[1] ?? 0);
    return number === 0 ? [] : [{ number: 0, holds: number }];
  });
  return [...wrong, ...left];
}

/** Gives each file its name; one whose name is taken by a file that bears it rightly goes to lost+found. Durable on return. */
export async function giveNames(fs: FileSystem, directory: string, wrong: readonly Misnamed[]): Promise<void> {
  const heap = `${directory}/heap`;
  for (const { number, holds } of wrong) {
    if (number !== 0)
      await fs.rename(`${heap}/${segmentName(number)}`, `${heap}/${segmentName(holds)}.misnamed.${number}`);
  }
  await fs.syncDirectory(heap);
  for (const name of await fs.list(heap)) {
    const number = Number(aside.exec(name)?.[1] ?? 0);
    if (number === 0) continue;
    const right = segmentName(number);
    const isTaken = (await fs.list(heap)).includes(right);
    if (isTaken) await moveAway(fs, directory, `${heap}/${name}`, name);
    else await fs.rename(`${heap}/${name}`, `${heap}/${right}`);
  }
  await fs.syncDirectory(heap);
}

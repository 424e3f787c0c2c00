/** Answers that are lists, however long: items go out as they come, so that memory does not grow with their number. */
import type { Run } from './command.ts';

/** How a list looks to people. */
export interface ListText<Item> {
  /** Stands above the first item. */
  readonly head?: string;
  /** With its line end. */
  readonly line: (item: Item) => string;
  /** What is said where there is no item. */
  readonly none: string;
}

/** Rows asked for at a time. */
export const pageRows = 1_000;
const writeLength = 65_536;

/** Writes the items as text, or as `{"NAME":[…]}`. */
export async function answerList<Item>(
  run: Run,
  name: string,
  items: AsyncIterable<Item>,
  text: ListText<Item>,
): Promise<void> {
  let count = 0;
  let pending = run.json ? `{${JSON.stringify(name)}:[` : '';
  for await (const item of items) {
    if (run.json) pending += `${count === 0 ? '' : ','}${JSON.stringify(item)}`;
    else pending += `${count === 0 ? (text.head ?? '') : ''}${text.line(item)}`;
    count++;
    if (pending.length < writeLength) continue;
    await run.out.write(pending);
    pending = '';
  }
  if (run.json) pending += ']}\n';
  else if (count === 0) pending = text.none;
  await run.out.write(pending);
}

/** All rows of a list that is read page by page, each page after the last row of the one before. */
export async function* allPages<Row>(page: (after: Row | undefined) => Promise<readonly Row[]>): AsyncGenerator<Row> {
  let last: Row | undefined;
  for (;;) {
    const rows = await page(last);
    yield* rows;
    last = rows.at(-1);
    if (rows.length < pageRows) return;
  }
}

/** What a check found, and how it is collected. */

/** One thing that is not as it must be. */
export interface Finding {
  /** Which invariant: the number in catalog/schema.ts, or `heap`. */
  readonly area: string;
  readonly text: string;
}

/** Findings kept; a store with more has one cause. */
const findingsMax = 1_000;

export class Findings {
  readonly list: Finding[] = [];

  add(area: string, text: string): void {
    if (this.list.length < findingsMax) this.list.push({ area, text });
  }

  /** Adds a finding unless the two are equal. */
  equal(area: string, what: string, is: number, should: number): void {
    if (is !== should) this.add(area, `${what} is ${is}, counting gives ${should}`);
  }
}

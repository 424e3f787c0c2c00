/** What `mstore dump` answers. */

/** What is at a place: for programs, and in words. */
export interface Explained {
  readonly value: object;
  readonly text: string;
}

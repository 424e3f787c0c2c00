/** What long work needs of a pace: to count, and to let others go first. */
import type { Pace } from '../search/pace.ts';

export type Turns = Pick<Pace, 'isDue' | 'turn'>;

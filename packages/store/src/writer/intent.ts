/** Intents: questions to the writer, and how they wait for their turn. */
import { invariant } from '../errors.ts';
import type { Turn } from './turn.ts';

/** A question to the writer. */
export interface Intent<Answer> {
  /** `heap`: answered when the log has it (deliveries). `catalog`: when readers can see it. */
  readonly answerAfter: 'heap' | 'catalog';
  /** Upkeep: decided behind all others, one in a batch. */
  readonly background?: boolean;
  /** It gives space back, now or later: decided also where the disk has no room for other changes. Default: background. */
  readonly givesSpace?: boolean;
  /** Decides, or throws a StoreError before it appended anything. */
  decide(turn: Turn): Answer;
}

/** An intent on its way, its answer's type forgotten. */
export interface Waiting {
  readonly answerAfter: 'heap' | 'catalog';
  /** Decides and keeps the answer; throws what decide throws. */
  decide(turn: Turn): void;
  answer(): void;
  refuse(error: unknown): void;
}

export function waitingFor<Answer>(
  intent: Intent<Answer>,
  resolve: (answer: Answer) => void,
  refuse: (error: unknown) => void,
): Waiting {
  let answer: { readonly value: Answer } | undefined;
  return {
    answerAfter: intent.answerAfter,
    decide: (turn) => {
      answer = { value: intent.decide(turn) };
    },
    answer: () => {
      invariant(answer !== undefined, 'an intent is answered after it was decided');
      resolve(answer.value);
    },
    refuse,
  };
}

/** A run of retention on a simulated machine, after time has passed. */
import { RetentionRunner, type Store } from '@mstore/store';
import type { SimMachine } from './sim-machine.ts';

const day = 86_400_000;

/** `days` pass, and what left sight seven days before goes for good. @throws {StoreError} what the writer refused for */
export async function passDays(store: Store, machine: SimMachine, days: number): Promise<void> {
  machine.passMs(days * day);
  const runner = new RetentionRunner(store, {
    settings: { expunged: 7, trash: 20, junk: 0, pop3: 0 },
    clock: machine.ports.clock,
    observer: { done: () => undefined, failed: () => undefined },
  });
  await runner.run();
}

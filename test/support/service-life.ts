/** The life of a service's processes, as a test follows it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from './service.ts';

const patienceMs = 60_000;

/** Waits for a condition, which may take a minute on a loaded machine. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `waited in vain: ${what}`);
    await sleep(5);
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The processes by their work, numbered from the second of a kind on, as ready.json says now; none while it is not there. */
export function pidsOf(service: Service): ReadonlyMap<string, number> {
  const pids = new Map<string, number>();
  try {
    const state = JSON.parse(readFileSync(join(service.directory, 'run/ready.json'), 'utf8'));
    for (const [name, value] of Object.entries(state.pids)) {
      for (const [at, pid] of (Array.isArray(value) ? value : [value]).entries()) {
        if (typeof pid === 'number') pids.set(at === 0 ? name : `${name} ${at + 1}`, pid);
      }
    }
  } catch {
    // Not ready now.
  }
  return pids;
}

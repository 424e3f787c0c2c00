/**
 * From an address to users: aliases, details and catch-alls, over any table that can look addresses up. Owns the order in
 * which names win and the bounds of expansion; keeps no state.
 *
 * For `name+detail@domain`, the first of these wins: an alias with the whole address, a user with it, an alias without the
 * detail, a user without it, the catch-all of the domain. A detail is passed on to targets that have none of their own. An
 * alias that names its own address means the user of that address ("keep a copy"), so two users may have each other's mail;
 * any other way back is a loop.
 * A target that nobody bears any more is passed over as long as another is left.
 */
import { type Address, addressOf, addressText, splitDetail } from './address.ts';
import type { Resolution, Target } from './directory.ts';
import { limits } from './limits.ts';
import type { UserId } from './types.ts';

/** What expansion asks of the tables; addresses are in our form. */
export interface AddressTables {
  hasDomain(domain: string): boolean;
  userIdAt(address: Address): UserId | undefined;
  /** In order; empty when there is no such alias. The catch-all has an empty local part. */
  aliasTargets(address: Address): readonly string[];
}

type Failure = Exclude<Resolution, { kind: 'found' } | { kind: 'noSuchUser' }>;
/** Yields where the event loop may have a turn. */
type Steps = Generator<void, Failure | undefined, void>;

class Expansion {
  readonly targets = new Map<string, Target>();
  readonly #tables: AddressTables;
  readonly #separator: string;
  /** Aliases on the way to the present one. */
  readonly #path: string[] = [];
  readonly #seen = new Set<string>();
  #followed = 0;

  constructor(tables: AddressTables, separator: string) {
    this.#tables = tables;
    this.#separator = separator;
  }

  /** Adds the users behind an address; returns what stands against it, if anything does. */
  *expand(address: Address, detail: string | undefined): Steps {
    const whole = addressText(address);
    const key = `${whole}\n${detail ?? ''}`;
    // A loop is seen where it closes, so what is on the path must be looked at again.
    if (this.#seen.has(key) && !this.#path.includes(whole)) return undefined;
    this.#seen.add(key);
    if (this.#seen.size > limits.aliasTargets) return { kind: 'tooMany', address: whole };
    if (!this.#tables.hasDomain(address.domain)) return { kind: 'foreign', address: whole };

    const exact = yield* this.#try(address, detail);
    if (exact !== 'nobody') return exact;
    const split = splitDetail(address, this.#separator);
    const base = split === undefined ? 'nobody' : yield* this.#try(split.base, split.detail || detail);
    if (base !== 'nobody') return base;
    const catchAll = { local: '', domain: address.domain };
    // What a catch-all's own target does not find is nobody's, not a loop.
    if (this.#path.includes(addressText(catchAll))) return undefined;
    const all = this.#tables.aliasTargets(catchAll);
    return all.length === 0 ? undefined : yield* this.follow(addressText(catchAll), all, undefined);
  }

  /** Expands each target of an alias. */
  *follow(alias: string, targets: readonly string[], detail: string | undefined): Steps {
    if (this.#path.includes(alias)) return { kind: 'loop', address: alias };
    if (this.#path.length >= limits.aliasHops) return { kind: 'tooMany', address: alias };
    this.#path.push(alias);
    for (const target of targets) {
      this.#followed += 1;
      if (this.#followed % limits.aliasSlice === 0) yield;
      const failure = yield* this.expand(addressOf(target), detail);
      if (failure !== undefined) return failure;
    }
    this.#path.pop();
    return undefined;
  }

  /** The alias with just this address, else the user. */
  *#try(address: Address, detail: string | undefined): Generator<void, Failure | undefined | 'nobody', void> {
    const whole = addressText(address);
    const targets = this.#tables.aliasTargets(address);
    const namesItself = this.#path.at(-1) === whole || (this.#path.includes(whole) && targets.includes(whole));
    if (namesItself && this.#addUser(address, detail)) return undefined;
    if (targets.length > 0) return yield* this.follow(whole, targets, detail);
    return this.#addUser(address, detail) ? undefined : 'nobody';
  }

  #addUser(address: Address, detail: string | undefined): boolean {
    const userId = this.#tables.userIdAt(address);
    if (userId === undefined) return false;
    const known = { userId, address: addressText(address) };
    this.targets.set(`${userId}\n${detail ?? ''}`, detail === undefined ? known : { ...known, detail });
    return true;
  }

  result(failure: Failure | undefined): Resolution {
    if (failure !== undefined) return failure;
    const targets = [...this.targets.values()];
    return targets.length === 0 ? { kind: 'noSuchUser' } : { kind: 'found', targets };
  }
}

/** The users behind `address`; `pause` is awaited between slices of a large alias. */
export async function resolveAddress(
  tables: AddressTables,
  address: Address,
  separator: string,
  pause: () => Promise<void>,
): Promise<Resolution> {
  const expansion = new Expansion(tables, separator);
  const steps = expansion.expand(address, undefined);
  let step = steps.next();
  while (step.done !== true) {
    await pause();
    step = steps.next();
  }
  return expansion.result(step.value);
}

/** Where an alias with these targets leads, without pauses: not for an event loop. */
export function resolveAlias(
  tables: AddressTables,
  alias: Address,
  targets: readonly string[],
  separator: string,
): Resolution {
  const expansion = new Expansion(tables, separator);
  const steps = expansion.follow(addressText(alias), targets, undefined);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return expansion.result(step.value);
}

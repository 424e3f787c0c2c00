/**
 * Delivery itself: recipients are looked up, and a message is placed for those that were found. Owns no protocol, no socket and
 * no octet of the message; the writer decides about room and places, here is only asked what it will be asked.
 *
 * The usual delivery (one recipient whose account is as the directory has it) costs one look into the catalog and one request
 * to the writer. Long lists go in slices, so that the event loop is not held.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Directory, User, UserId } from '@mstore/directory';
import type { Clock } from '@mstore/net';
import {
  type AccountId,
  type Catalog,
  type DeliveryResult,
  type DeliveryTarget,
  isStoreError,
  type MailWriter,
  mailboxName,
  limits as storeLimits,
  type WantedAccount,
} from '@mstore/store';
import type { DeliveryOutcome, DeliveryRequest, DeliverySettings, Recipient, Refusal } from './delivery.ts';
import { isTemporary, refusal, refusalOf, storeRefusal } from './errors.ts';
import { limits } from './limits.ts';
import { NamesAlike } from './names-alike.ts';
import { acceptRecipient, accountOf, type RecipientPorts } from './recipient.ts';
import { TraceLines } from './trace.ts';

export interface DeliveryOptions extends RecipientPorts {
  readonly directory: Directory;
  readonly writer: MailWriter;
  /** The catalog as it is now. */
  readonly catalog: () => Catalog;
  readonly settings: DeliverySettings;
  readonly clock: Clock;
}

/** A user and a detail, each once in a transaction, with the recipient that led there first. */
interface Place {
  readonly user: User;
  readonly detail: string | undefined;
  readonly given: string;
}

/** Delivers; several may be under way. */
export class Delivery {
  readonly #ports: DeliveryOptions;
  /** May be replaced; what is under way goes on with the old ones. */
  settings: DeliverySettings;

  constructor(options: DeliveryOptions) {
    this.#ports = options;
    this.settings = options.settings;
  }

  /**
   * Whether mail can be delivered to an address, given without angle brackets.
   * @param announcedBytes the message's size as far as it is known
   */
  accept(address: string, announcedBytes?: number): Promise<Recipient | Refusal> {
    return acceptRecipient(this.#ports, this.settings, address, announcedBytes);
  }

  /** Delivers a message; one outcome for each recipient, in order. What was placed is durable. */
  async deliver(request: DeliveryRequest): Promise<DeliveryOutcome[]> {
    const { settings } = this;
    const { places, wanted } = await placesOf(request.recipients);
    const unready = await this.#unready(places);
    const inPassing = request.allOrNone === true ? new Set<UserId>() : madeInPassing(places, unready);
    const refused = await this.#prepareAccounts([...unready.values()].filter(({ id }) => !inPassing.has(id)));
    const lines = new TraceLines(settings.name, request.trace, this.#ports.clock.now());
    const outcomes = await this.#place(request, await this.#targets(places, { refused, inPassing }, lines, settings));
    return wanted.map((indexes) => outcomeOf(indexes, outcomes, settings));
  }

  /** Users whose accounts are not as the directory has them. */
  async #unready(places: readonly Place[]): Promise<ReadonlyMap<UserId, User>> {
    const unready = new Map<UserId, User>();
    for (const [index, { user }] of places.entries()) {
      if (index % limits.targetSlice === limits.targetSlice - 1) await nextTurn();
      if (!isReady(this.#ports.catalog(), user)) unready.set(user.id, user);
    }
    return unready;
  }

  /** Makes accounts, or sets their quotas. Gives those that must not be used. */
  async #prepareAccounts(users: readonly User[]): Promise<ReadonlyMap<UserId, Refusal>> {
    const refused = new Map<UserId, Refusal>();
    for (let at = 0; at < users.length; at += limits.accountsAtOnce) {
      await Promise.all(users.slice(at, at + limits.accountsAtOnce).map((user) => this.#ensure(user, refused)));
    }
    return refused;
  }

  async #ensure(user: User, refused: Map<UserId, Refusal>): Promise<void> {
    try {
      await this.#ports.writer.ensureAccount(wantedOf(user));
    } catch (error) {
      refused.set(user.id, refusalOf(error));
    }
  }

  /** What the writer is to be asked for each place, or why it is not. */
  async #targets(
    places: readonly Place[],
    { refused, inPassing }: Accounts,
    lines: TraceLines,
    settings: DeliverySettings,
  ): Promise<(DeliveryTarget | Refusal)[]> {
    const targets: (DeliveryTarget | Refusal)[] = [];
    const names = new NamesAlike(this.#ports.catalog);
    for (const place of places) {
      if (targets.length % limits.targetSlice === limits.targetSlice - 1) await nextTurn();
      const known = refused.get(place.user.id);
      if (known !== undefined) {
        targets.push(known);
        continue;
      }
      const account = accountOf(place.user);
      const trace = lines.for(place.given);
      if (inPassing.has(place.user.id)) targets.push({ account, trace, wanted: wantedOf(place.user) });
      else if (place.detail === undefined) targets.push({ account, trace });
      else targets.push({ account, trace, mailbox: await this.#mailboxFor(names, account, place.detail, settings) });
    }
    return targets;
  }

  /** The mailbox of that name in any letter case, as addresses have none; the writer takes INBOX where there is none. */
  async #mailboxFor(
    names: NamesAlike,
    account: AccountId,
    detail: string,
    settings: DeliverySettings,
  ): Promise<string> {
    const known = await names.find(account, detail);
    if (known !== undefined) return known;
    if (settings.detail !== 'create') return detail;
    try {
      const name = mailboxName(detail);
      await this.#ports.writer.createMailbox(account, name);
      return name;
    } catch (error) {
      // No name for a mailbox, too many of them, or made by somebody else meanwhile: the writer finds a place all the same.
      if (isStoreError(error)) return detail;
      throw error;
    }
  }

  async #place(request: DeliveryRequest, targets: readonly (DeliveryTarget | Refusal)[]): Promise<DeliveryOutcome[]> {
    const { message, allOrNone = false } = request;
    const ready = targets.filter((target): target is DeliveryTarget => !isRefusal(target));
    const failed = targets.find(isRefusal);
    if (ready.length === 0 || (allOrNone && failed !== undefined)) {
      this.#ports.writer.discard(message);
      return targets.map((target) => (isRefusal(target) ? target : (failed ?? nobody)));
    }
    let results: readonly DeliveryResult[];
    try {
      results = await this.#ask(request, ready);
    } catch (error) {
      const all = refusalOf(error);
      return targets.map((target) => (isRefusal(target) ? target : all));
    }
    let next = 0;
    return targets.map((target) => (isRefusal(target) ? target : outcomeOfResult(results[next++])));
  }

  /** More than the writer decides in one turn cannot be all or none: then all have had room when they were accepted. */
  #ask({ message, allOrNone = false }: DeliveryRequest, targets: readonly DeliveryTarget[]): Promise<DeliveryResult[]> {
    const isTogether = allOrNone && targets.length > 1 && targets.length <= storeLimits.recipientsTogether;
    return this.#ports.writer.deliver(message, targets, isTogether ? { allOrNone } : {});
  }
}

/** What became of accounts that were not as the directory has them. */
interface Accounts {
  readonly refused: ReadonlyMap<UserId, Refusal>;
  /** Made, or changed, by the delivery itself. */
  readonly inPassing: ReadonlySet<UserId>;
}

/** The few accounts that the delivery itself can make, without a flush of their own; a detail asks for mailboxes that must be there. */
function madeInPassing(places: readonly Place[], unready: ReadonlyMap<UserId, User>): ReadonlySet<UserId> {
  if (unready.size === 0 || unready.size > limits.accountsInPassing) return new Set();
  const made = new Set(unready.keys());
  for (const { user, detail } of places) if (detail !== undefined) made.delete(user.id);
  return made;
}

function wantedOf(user: User): WantedAccount {
  const { address: name, quotaBytes, quotaMessages } = user;
  return { id: accountOf(user), name, quotaBytes, quotaMessages };
}

const nobody: Refusal = refusal('storage', 'nobody to deliver to');

function isRefusal(target: DeliveryTarget | Refusal): target is Refusal {
  return 'kind' in target;
}

/** Whether the catalog shows the account as the directory has it. */
function isReady(catalog: Catalog, user: User): boolean {
  const row = catalog.account(accountOf(user));
  return (
    row !== undefined &&
    !row.deleted &&
    // One made before its user has its name in other letters.
    row.name.toLowerCase() === user.address &&
    row.quotaBytes === user.quotaBytes &&
    row.quotaMessages === user.quotaMessages
  );
}

interface Places {
  readonly places: readonly Place[];
  /** For each recipient which of the places are its own. */
  readonly wanted: readonly (readonly number[])[];
}

/** The places that the recipients lead to, each once. */
async function placesOf(recipients: readonly Recipient[]): Promise<Places> {
  const places: Place[] = [];
  const indexes = new Map<string, number>();
  const wanted: number[][] = [];
  let seen = 0;
  for (const { given, targets, users } of recipients) {
    const own: number[] = [];
    for (const [at, { userId, detail }] of targets.entries()) {
      seen += 1;
      if (seen % limits.targetSlice === 0) await nextTurn();
      const user = users[at];
      if (user === undefined) continue;
      const key = detail === undefined ? `${userId}` : `${userId} ${detail}`;
      const index = indexes.get(key) ?? places.push({ user, detail, given }) - 1;
      indexes.set(key, index);
      own.push(index);
    }
    wanted.push(own);
  }
  return { places, wanted };
}

function outcomeOfResult(result: DeliveryResult | undefined): DeliveryOutcome {
  if (result === undefined) return nobody;
  return result.ok ? { ok: true, placed: [result.placed] } : storeRefusal(result.code, result.message);
}

/** What a recipient is told that leads to several places: the weightiest. */
function outcomeOf(
  indexes: readonly number[],
  outcomes: readonly DeliveryOutcome[],
  { overQuota }: DeliverySettings,
): DeliveryOutcome {
  const [only] = indexes;
  if (indexes.length === 1 && only !== undefined) return outcomes[only] ?? nobody;
  const own = indexes.flatMap((index) => outcomes[index] ?? []);
  const refusals = own.filter((outcome) => !outcome.ok);
  const weightiest = refusals.find(({ kind }) => isTemporary(kind, overQuota)) ?? refusals[0];
  if (weightiest !== undefined) return weightiest;
  if (own.length === 0) return nobody;
  return { ok: true, placed: own.flatMap((outcome) => (outcome.ok ? outcome.placed : [])) };
}

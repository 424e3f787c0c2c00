/**
 * Verified passwords, remembered for some minutes so that a client that polls does not cost a hash each time. Kept as
 * HMAC-SHA-256 under a key that this process made up and never tells; only in memory.
 *
 * `token` stands for what the password was verified against: with another token the same password is not remembered, so a
 * change of the password takes effect at once.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ExpiringMap } from './expiring-map.ts';
import { limits } from './limits.ts';
import type { Clock } from './sys/clock.ts';
import type { UserId } from './types.ts';

export class RememberedPasswords {
  readonly #key = randomBytes(32);
  readonly #macs: ExpiringMap<UserId, Buffer>;
  readonly #underWay = new Map<string, Promise<boolean>>();

  constructor(clock: Clock, keepMs: number = limits.rememberMs, entriesMax: number = limits.rememberedPasswords) {
    this.#macs = new ExpiringMap(clock, entriesMax, keepMs);
  }

  /** True when this password was found right a short while ago; false says nothing. */
  isRemembered(id: UserId, token: string, password: string): boolean {
    return this.#isKnown(id, this.#mac(id, token, password));
  }

  /** Notes that this password was just found right. */
  remember(id: UserId, token: string, password: string): void {
    this.#macs.set(id, this.#mac(id, token, password));
  }

  /**
   * Whether the password is right: from memory, from a check of the same password that is under way (clients open several
   * connections at once), else from `verify`, whose yes is remembered.
   */
  async check(id: UserId, token: string, password: string, verify: () => Promise<boolean>): Promise<boolean> {
    const mac = this.#mac(id, token, password);
    if (this.#isKnown(id, mac)) return true;
    const name = mac.toString('base64');
    const present = this.#underWay.get(name) ?? verify().finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, present);
    const isRight = await present;
    if (isRight) this.#macs.set(id, mac);
    return isRight;
  }

  forget(id: UserId): void {
    this.#macs.delete(id);
  }

  forgetAll(): void {
    this.#macs.clear();
  }

  #isKnown(id: UserId, mac: Buffer): boolean {
    const known = this.#macs.get(id);
    return known !== undefined && timingSafeEqual(known, mac);
  }

  #mac(id: UserId, token: string, password: string): Buffer {
    const mac = createHmac('sha256', this.#key);
    return mac.update(`${id}\0${token.length}\0${token}`).update(password).digest();
  }
}

/** The words of the directory that its modules share. */

declare const brand: unique symbol;

/**
 * A user's id, the store's account id: 1 … 2^32 − 1, never changed and never given twice. Made only by the table of users and
 * by what decodes a number someone sent.
 */
export type UserId = number & { readonly [brand]: 'UserId' };

/** Makes a user id of a number that is one. */
export function userId(value: number): UserId {
  return value as UserId;
}

/** What is known of a user, without the password. */
export interface User {
  readonly id: UserId;
  /** In our form (address.ts); also the login. */
  readonly address: string;
  /** Octets of visible mail; 0 for no limit. */
  readonly quotaBytes: number;
  /** Visible messages; 0 for no limit. */
  readonly quotaMessages: number;
  /** May not log in. Mail is still delivered. */
  readonly disabled: boolean;
  /** When the user was added, in ms since 1970. */
  readonly createdMs: number;
}

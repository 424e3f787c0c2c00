/**
 * The directory as daemons see it: who is behind an address, is this password right, what are a user's limits, on which store
 * server is the user, and what changed. Where the answers come from (sqlite.ts, cache.ts) is not seen here.
 *
 * "No such user" and "wrong" are answers and mean just that. Whatever cannot be told now is thrown as a DirectoryError
 * `unavailable`, so that no outage turns into a bounced message or a forgotten password.
 */
import type { User, UserId } from './types.ts';

/** One user that an address leads to. */
export interface Target {
  readonly userId: UserId;
  /** The user's own address, in our form. */
  readonly address: string;
  /** What stood after the separator (RFC 5233), in NFC and lower case; not empty. */
  readonly detail?: string;
}

/** What an address means. */
export type Resolution =
  /** The users behind it, each pair of user and detail once, in the order of the aliases; at least one. */
  | { readonly kind: 'found'; readonly targets: readonly Target[] }
  /** Nobody; the domain is ours. Also what is no address at all. */
  | { readonly kind: 'noSuchUser' }
  /** The address itself, or one that it leads to, is not in our domains. */
  | { readonly kind: 'foreign'; readonly address: string }
  /** An alias leads back to itself. */
  | { readonly kind: 'loop'; readonly address: string }
  /** More hops or targets than limits.ts allows. */
  | { readonly kind: 'tooMany'; readonly address: string };

/** The circumstances of a login. */
export interface LoginAttempt {
  /** The client's address, as the log shows it. */
  readonly remote: string;
}

/** Whether a password is right. */
export type Authentication =
  | { readonly kind: 'user'; readonly user: User }
  /** The password or the login is wrong; which is not told, nor shown by the time it took. */
  | { readonly kind: 'wrong' }
  /** The password is right, but the user may not log in. */
  | { readonly kind: 'disabled' };

/** What a server needs to check SCRAM-SHA-256 (RFC 5802 §3). */
export interface ScramVerifier {
  readonly userId: UserId;
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** Something that changed; for users with the id, so that what was cached under it can be dropped. */
export type DirectoryChange =
  | {
      readonly sequence: number;
      readonly kind: 'userAdded' | 'userChanged' | 'userRemoved';
      readonly userId: UserId;
      readonly address: string;
    }
  | { readonly sequence: number; readonly kind: 'alias'; readonly address: string }
  | { readonly sequence: number; readonly kind: 'domain'; readonly domain: string };

/** Changes after a point. */
export interface DirectoryChanges {
  /** The point reached: what to ask from next. */
  readonly sequence: number;
  /** False when changes between are no longer known: everything may have changed, and `changes` is empty. */
  readonly complete: boolean;
  /** At most `limits.changesTold`, oldest first. */
  readonly changes: readonly DirectoryChange[];
}

/** Told of changes soon after they are durable; several at once come in order. It must not throw. */
export type ChangeListener = (changes: DirectoryChanges) => void;

/** Every method that answers throws a DirectoryError `unavailable` when it cannot tell, and `closed` after `close`. */
export interface Directory {
  /** The users behind an address, as a protocol writes it, without angle brackets. */
  resolve(address: string): Promise<Resolution>;
  /** Checks a password. */
  authenticate(login: string, password: string, attempt: LoginAttempt): Promise<Authentication>;
  /** The SCRAM verifier of a user who may log in; undefined when there is no such user or only an imported hash. */
  scramVerifier(login: string): Promise<ScramVerifier | undefined>;
  /** The user with this id; undefined when there is none. */
  user(id: UserId): Promise<User | undefined>;
  /** The user with this login; undefined when there is none. */
  userNamed(login: string): Promise<User | undefined>;
  /** The name of the store server that holds the user's mail; undefined when there is no such user. */
  route(id: UserId): Promise<string | undefined>;
  /** The changes after `since`; without it only the present point. */
  changes(since?: number): Promise<DirectoryChanges>;
  /** Calls `listener` at every change from now on, until the returned function is called. */
  subscribe(listener: ChangeListener): () => void;
  close(): Promise<void>;
}

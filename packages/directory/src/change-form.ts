/**
 * What a change of the directory is given and tells, and the form it must have. Pure; the changes themselves are in
 * sqlite-changes.ts.
 */
import { type Address, addressText, normalDomain, parseAddress, parseAliasAddress } from './address.ts';
import { DirectoryError } from './errors.ts';
import { limits } from './limits.ts';
import type { User } from './types.ts';

/** What a user's row may be given; what is absent stays, or is empty in a new row. */
export interface UserFields {
  readonly password?: string;
  /** Comes with a password; one that came as a hash has none. */
  readonly scram?: string;
  readonly quotaBytes?: number;
  readonly quotaMessages?: number;
  readonly disabled?: boolean;
}

/** Which id a new user gets. */
export interface NewId {
  /** Just this one; absent: the next free one. */
  readonly id?: number;
  /** True: also one that a removed user had. */
  readonly again?: boolean;
  /** The next free one is above this and above all that this file gave. */
  readonly above?: number;
}

/** A user to add or update. */
export interface UserChange {
  /** In our form. */
  readonly address: string;
  readonly fields: UserFields;
  /** The id that a new user must get. */
  readonly id?: number;
}

/** What became of a group of users. */
export interface GroupReport {
  readonly added: number;
  readonly updated: number;
  /** Those left out, by their place in the group. */
  readonly refused: readonly { readonly at: number; readonly problem: string }[];
}

/** Which part of a list. */
export interface Page {
  /** Only this domain. */
  readonly domain?: string;
  /** The last row of the page before, as it was told. */
  readonly after?: string;
  /** Rows; limits.pageRows at most, and when absent. */
  readonly limit?: number;
}

export interface Alias {
  /** In our form; `@domain` for a catch-all. */
  readonly address: string;
  readonly targets: readonly string[];
}

/** A removed user who is back. */
export interface ReturnedUser {
  readonly user: User;
  /** False: nothing was kept; there is no password. */
  readonly whole: boolean;
  /** Aliases that lead there again. */
  readonly aliases: number;
}

/** The fields as SQLite takes them. */
export interface UserValues {
  readonly password: string | null;
  readonly scram: string | null;
  readonly quotaBytes: number | null;
  readonly quotaMessages: number | null;
  readonly disabled: number | null;
}

/** @throws {DirectoryError} badQuota */
export function valuesOf(fields: UserFields): UserValues {
  for (const quota of [fields.quotaBytes ?? 0, fields.quotaMessages ?? 0]) {
    if (Number.isInteger(quota) && quota >= 0 && quota <= limits.quota) continue;
    throw new DirectoryError('badQuota', `${quota} is no quota: a whole number below 2^53, 0 for no limit`);
  }
  return {
    password: fields.password ?? null,
    scram: fields.scram ?? null,
    quotaBytes: fields.quotaBytes ?? null,
    quotaMessages: fields.quotaMessages ?? null,
    disabled: fields.disabled === undefined ? null : Number(fields.disabled),
  };
}

/** @throws {DirectoryError} badAddress */
export function addressFrom(given: string): Address {
  const address = parseAddress(given);
  if (address === undefined) throw new DirectoryError('badAddress', `${given} is no address`);
  return address;
}

/** The address of an alias, or `@domain`. @throws {DirectoryError} badAddress */
export function aliasFrom(given: string): Address {
  const address = parseAliasAddress(given);
  if (address === undefined) throw new DirectoryError('badAddress', `${given} is no address`);
  return address;
}

/** @throws {DirectoryError} badAddress */
export function domainFrom(given: string): string {
  const domain = normalDomain(given);
  if (domain === undefined) throw new DirectoryError('badAddress', `${given} is no domain`);
  return domain;
}

/** Targets in our form, each once. @throws {DirectoryError} badAddress, badTarget */
export function targetsFrom(given: readonly string[]): readonly string[] {
  if (given.length === 0) throw new DirectoryError('badTarget', 'an alias needs a target');
  return [...new Set(given.map((target) => addressText(addressFrom(target))))];
}

/** What is thrown where there is no such alias. */
export function noAlias(alias: Address): DirectoryError {
  return new DirectoryError('noAlias', `there is no alias ${addressText(alias)}`);
}

/** How many rows a page has. */
export function rowsOf(page: Page): number {
  return Math.min(Math.max(page.limit ?? limits.pageRows, 1), limits.pageRows);
}

/** Every command (RFC 9051 §6): in which states it may come, how its arguments are read, and who does it. */
import { bare, type Command, command } from './command.ts';
import { append } from './commands/append.ts';
import { copy, expectCopy, expunge, move, uidCopy, uidExpunge, uidMove } from './commands/copies.ts';
import { fetch, uidFetch } from './commands/fetch.ts';
import { expectId, id } from './commands/id.ts';
import { idle } from './commands/idle.ts';
import { list, lsub } from './commands/lists.ts';
import { authenticate, expectAuthenticate, expectLogin, login } from './commands/logins.ts';
import { create, remove, rename, subscribe, unsubscribe } from './commands/mailboxes.ts';
import { searchCommand } from './commands/search.ts';
import { close, examine, select, unselect } from './commands/selects.ts';
import { capability, enable, expectExtensions, logout, namespace, noop } from './commands/sessions.ts';
import { expectStatus, status } from './commands/status.ts';
import { store, uidStore } from './commands/store.ts';
import type { State } from './session.ts';
import type { Decoder } from './wire/decoder.ts';
import { expectFetchArguments, expectStoreArguments } from './wire/fetch-items.ts';
import { expectListArguments, expectReferenceAndPattern } from './wire/list-arguments.ts';
import { expectAppendArguments, expectCreateArguments, expectSelectArguments } from './wire/mailbox-arguments.ts';
import { expectMailbox } from './wire/mailbox-name.ts';
import { expectMessageSet } from './wire/sequence-set.ts';

export type { Command } from './command.ts';

const anonymous: readonly State[] = ['anonymous'];
const loggedIn: readonly State[] = ['authenticated', 'selected'];
const selected: readonly State[] = ['selected'];
const always: readonly State[] = [...anonymous, ...loggedIn];

const aName = 'a mailbox name';

function expectTwoMailboxes(decoder: Decoder): { readonly from: string; readonly to: string } {
  const from = expectMailbox(decoder);
  decoder.expectSpace(aName);
  return { from, to: expectMailbox(decoder) };
}

/** By name, in capitals. */
export const commands: ReadonlyMap<string, Command> = new Map([
  ['CAPABILITY', bare(always, capability)],
  ['NOOP', bare(always, noop)],
  ['LOGOUT', bare(always, logout)],
  ['ID', command(always, 'a list or NIL', expectId, id)],

  ['LOGIN', command(anonymous, 'a login', expectLogin, login)],
  ['AUTHENTICATE', command(anonymous, 'a mechanism', expectAuthenticate, authenticate)],

  ['ENABLE', command(loggedIn, 'extensions', expectExtensions, enable)],
  ['NAMESPACE', bare(loggedIn, namespace)],
  ['LIST', command(loggedIn, 'a reference', expectListArguments, list)],
  ['LSUB', command(loggedIn, 'a reference', expectReferenceAndPattern, lsub)],
  ['STATUS', command(loggedIn, aName, expectStatus, status)],
  ['CREATE', command(loggedIn, aName, expectCreateArguments, create)],
  ['DELETE', command(loggedIn, aName, expectMailbox, remove)],
  ['RENAME', command(loggedIn, aName, expectTwoMailboxes, rename)],
  ['SUBSCRIBE', command(loggedIn, aName, expectMailbox, subscribe)],
  ['UNSUBSCRIBE', command(loggedIn, aName, expectMailbox, unsubscribe)],
  ['APPEND', command(loggedIn, aName, expectAppendArguments, append)],
  ['IDLE', bare(loggedIn, idle)],
  ['SELECT', command(loggedIn, aName, expectSelectArguments, select)],
  ['EXAMINE', command(loggedIn, aName, expectSelectArguments, examine)],

  ['CHECK', bare(selected, noop)],
  ['CLOSE', bare(selected, close)],
  ['UNSELECT', bare(selected, unselect)],
  ['EXPUNGE', bare(selected, expunge)],
  ['UID EXPUNGE', command(selected, 'UIDs', expectMessageSet, uidExpunge)],
  ['FETCH', command(selected, 'message numbers', expectFetchArguments, fetch, true)],
  ['UID FETCH', command(selected, 'UIDs', expectFetchArguments, uidFetch)],
  ['SEARCH', searchCommand('sequence')],
  ['UID SEARCH', searchCommand('uid')],
  ['STORE', command(selected, 'message numbers', expectStoreArguments, store, true)],
  ['UID STORE', command(selected, 'UIDs', expectStoreArguments, uidStore)],
  ['COPY', command(selected, 'message numbers', expectCopy, copy)],
  ['UID COPY', command(selected, 'UIDs', expectCopy, uidCopy)],
  ['MOVE', command(selected, 'message numbers', expectCopy, move)],
  ['UID MOVE', command(selected, 'UIDs', expectCopy, uidMove)],
]);

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressText, parseAliasAddress } from './address.ts';
import type { Resolution } from './directory.ts';
import { limits } from './limits.ts';
import { type AddressTables, resolveAddress, resolveAlias } from './resolve.ts';
import { userId } from './types.ts';

/** Domain d; users with ids from 1; aliases as a table. */
function tables(users: readonly string[], aliases: Readonly<Record<string, readonly string[]>>): AddressTables {
  return {
    hasDomain: (domain) => domain === 'd' || domain === 'e',
    userIdAt: (address) => {
      const at = users.indexOf(addressText(address));
      return at === -1 ? undefined : userId(at + 1);
    },
    aliasTargets: (address) => aliases[addressText(address)] ?? [],
  };
}

let pauses = 0;
function resolve(from: AddressTables, address: string, separator = '+'): Promise<Resolution> {
  const parsed = parseAliasAddress(address);
  assert(parsed !== undefined);
  return resolveAddress(from, parsed, separator, async () => void pauses++);
}

/** `id` or `id+detail` of each target, or the kind and address of a failure. */
async function brief(from: AddressTables, address: string): Promise<string> {
  const resolution = await resolve(from, address);
  if (resolution.kind === 'found') {
    return resolution.targets
      .map(({ userId: id, detail }) => (detail === undefined ? id : `${id}+${detail}`))
      .join(' ');
  }
  return resolution.kind === 'noSuchUser' ? resolution.kind : `${resolution.kind} ${resolution.address}`;
}

test('the more exact name wins: whole alias, whole user, base alias, base user, catch-all', async () => {
  const users = ['ann@d', 'ann+vip@d', 'bob@d', 'all@d', 'ann+sales@d'];
  const some = tables(users, { 'ann+sales@d': ['bob@d'], 'team@d': ['bob@d', 'ann@d'], '@d': ['all@d'] });
  assert.equal(await brief(some, 'ann@d'), '1');
  assert.equal(await brief(some, 'ann+vip@d'), '2');
  assert.equal(await brief(some, 'ann+sales@d'), '3');
  assert.equal(await brief(some, 'ann+x@d'), '1+x');
  assert.equal(await brief(some, 'ann+@d'), '1');
  assert.equal(await brief(some, 'team@d'), '3 1');
  assert.equal(await brief(some, 'nobody+x@d'), '4');
  assert.equal(await brief(some, 'nobody@e'), 'noSuchUser');
  assert.equal(await brief(some, 'ann@elsewhere'), 'foreign ann@elsewhere');
});

test('a detail is passed on to targets that have none of their own', async () => {
  const some = tables(['ann@d', 'bob@d'], { 'team@d': ['ann@d', 'bob+own@d'] });
  assert.equal(await brief(some, 'team+x@d'), '1+x 2+own');
});

test('each pair of user and detail comes once, in the order of the aliases', async () => {
  const some = tables(['ann@d', 'bob@d'], {
    'a@d': ['b@d', 'c@d', 'ann@d'],
    'b@d': ['bob@d', 'ann@d'],
    'c@d': ['bob@d', 'ann+x@d'],
  });
  assert.equal(await brief(some, 'a@d'), '2 1 1+x');
});

test('an alias that names itself keeps a copy for the user of that name', async () => {
  const some = tables(['ann@d', 'bob@d'], { 'ann@d': ['ann@d', 'bob@d'], 'list@d': ['ann@d'] });
  assert.equal(await brief(some, 'ann@d'), '1 2');
  assert.equal(await brief(some, 'ann+x@d'), '1+x 2+x');
  assert.equal(await brief(some, 'list@d'), '1 2');
  const mutual = tables(['ann@d', 'bob@d'], { 'ann@d': ['ann@d', 'bob@d'], 'bob@d': ['ann@d', 'bob@d'] });
  assert.equal(await brief(mutual, 'ann@d'), '1 2');
  assert.equal(await brief(mutual, 'bob@d'), '1 2');
  const forwards = tables(['ann@d', 'bob@d'], { 'ann@d': ['bob@d'], 'bob@d': ['ann@d'] });
  assert.equal(await brief(forwards, 'ann@d'), 'loop ann@d');
});

test('loops are told apart from diamonds', async () => {
  const some = tables(['ann@d'], {
    'a@d': ['b@d', 'c@d'],
    'b@d': ['z@d'],
    'c@d': ['z@d'],
    'z@d': ['ann@d'],
    'l@d': ['ann@d', 'm@d'],
    'm@d': ['l@d'],
    'self@d': ['self@d'],
    'p@d': ['p+x@d'],
  });
  assert.equal(await brief(some, 'a@d'), '1');
  assert.equal(await brief(some, 'l@d'), 'loop l@d');
  assert.equal(await brief(some, 'm@d'), 'loop m@d');
  assert.equal(await brief(some, 'self@d'), 'loop self@d');
  assert.equal(await brief(some, 'p@d'), 'loop p@d');
});

test('a catch-all whose target is gone catches nothing, and two that point at each other end', async () => {
  assert.equal(await brief(tables([], { '@d': ['gone@d'] }), 'x@d'), 'noSuchUser');
  const mutual = tables([], { '@d': ['x@e'], '@e': ['x@d'] });
  assert.equal(await brief(mutual, 'y@d'), 'noSuchUser');
});

test('targets that are gone are passed over while one is left; one outside our domains is an error', async () => {
  const some = tables(['ann@d'], { 'a@d': ['gone@d', 'ann@d'], 'b@d': ['gone@d'], 'c@d': ['ann@d', 'x@elsewhere'] });
  assert.equal(await brief(some, 'a@d'), '1');
  assert.equal(await brief(some, 'b@d'), 'noSuchUser');
  assert.equal(await brief(some, 'c@d'), 'foreign x@elsewhere');
});

test('hops are counted at the bound and one past it', async () => {
  const chain = (length: number): AddressTables => {
    const aliases: Record<string, string[]> = {};
    for (let at = 1; at <= length; at += 1) aliases[`a${at}@d`] = [at === length ? 'ann@d' : `a${at + 1}@d`];
    return tables(['ann@d'], aliases);
  };
  assert.equal(await brief(chain(limits.aliasHops), 'a1@d'), '1');
  assert.equal(await brief(chain(limits.aliasHops + 1), 'a1@d'), `tooMany a${limits.aliasHops + 1}@d`);
});

test('targets are counted at the bound and one past it, with pauses for the event loop', async () => {
  const users = Array.from({ length: limits.aliasTargets }, (_, at) => `u${at}@d`);
  const ids = new Map(users.map((user, at) => [user, userId(at + 1)]));
  const wide = (targets: readonly string[]): AddressTables => ({
    ...tables([], { 'all@d': targets }),
    userIdAt: (address) => ids.get(addressText(address)),
  });
  pauses = 0;
  const found = await resolve(wide(users.slice(1)), 'all@d');
  assert(found.kind === 'found' && found.targets.length === limits.aliasTargets - 1);
  assert.equal(pauses, Math.floor((limits.aliasTargets - 1) / limits.aliasSlice));
  assert.equal((await resolve(wide(users), 'all@d')).kind, 'tooMany');
});

test('an alias can be tried before anybody uses it', () => {
  const some = tables(['ann@d'], { 'a@d': ['b@d'] });
  const alias = { local: 'b', domain: 'd' };
  assert.equal(resolveAlias(some, alias, ['ann@d'], '+').kind, 'found');
  assert.equal(resolveAlias(some, alias, ['a@d'], '+').kind, 'noSuchUser');
  assert.equal(resolveAlias(tables([], { 'a@d': ['b@d'], 'b@d': ['a@d'] }), alias, ['a@d'], '+').kind, 'loop');
});

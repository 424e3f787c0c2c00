/** `mstore alias` */
import type { Alias, Resolution } from '@mstore/directory';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { addressGiven, addressShown, withAdministration, withDirectory } from './directory.ts';
import { exit } from './errors.ts';
import { allPages, answerList, pageRows } from './list.ts';
import { safeText } from './text.ts';

const addManual = `
Mail for ADDRESS goes to every TARGET, behind those it has already. "@DOMAIN" takes what nobody else in the domain takes. A
target is an address in one of our domains (forwarding elsewhere is the mail server's work), and may be an alias again; one that
is ADDRESS itself means the user of that name, who so keeps a copy. Circles and foreign targets are refused (exit code 1).`;

const removeManual = `
Takes the TARGETs away, or the whole alias where none is given; with its last target the alias goes.`;

const showManual = `
The alias with its targets, and the users that mail for it goes to now.`;

export function addAlias(program: Command): void {
  const alias = program.command('alias').description('addresses that lead to others');
  const named = (name: string, description: string): Command =>
    alias.command(name).description(description).argument('<address>', 'an address, or @DOMAIN');
  works(named('add', 'add targets').argument('<target...>', 'addresses').addHelpText('after', addManual), addTargets);
  works(named('remove', 'remove it').argument('[target...]', 'addresses').addHelpText('after', removeManual), remove);
  works(named('show', 'where it leads').addHelpText('after', showManual), show);
  works(alias.command('list').description('all aliases'), list);
}

function addressesGiven(run: Run, read: typeof addressGiven): Promise<readonly string[]> {
  return Promise.all(run.args.map((given) => read(run, given)));
}

function addTargets(run: Run): Promise<number> {
  return withAdministration(run, async (administration) => {
    const [address = '', ...targets] = await addressesGiven(run, addressGiven);
    const resolution = await administration.addAliasTargets(address, targets);
    if (resolution.kind === 'noSuchUser') run.note(`nobody bears any of these addresses yet: mail for it is refused`);
    const alias = await administration.alias(address);
    await run.answer({ ...alias, users: usersOf(resolution) }, textOf(alias));
    return exit.done;
  });
}

function remove(run: Run): Promise<number> {
  return withAdministration(run, async (administration) => {
    const [address = '', ...given] = await addressesGiven(run, addressShown);
    const alias = await administration.alias(address);
    const targets = given.length > 0 ? await administration.removeAliasTargets(address, given) : [];
    if (given.length === 0) await administration.removeAlias(address);
    const left = { address: alias.address, targets };
    await run.answer(left, targets.length === 0 ? `${safeText(alias.address)} is no alias any more.\n` : textOf(left));
    return exit.done;
  });
}

function show(run: Run): Promise<number> {
  return withAdministration(run, async (administration) => {
    const [address = ''] = await addressesGiven(run, addressShown);
    const alias = await administration.alias(address);
    const users = alias.address.startsWith('@')
      ? undefined
      : usersOf(await withDirectory(run, (directory) => directory.resolve(address)));
    const text = users === undefined ? '' : `users: ${users.length === 0 ? 'none' : safeText(users.join(', '))}\n`;
    await run.answer({ ...alias, users }, textOf(alias) + text);
    return exit.done;
  });
}

function list(run: Run): Promise<number> {
  return withAdministration(run, async (administration) => {
    const aliases = allPages<Alias>((last) =>
      administration.aliases({ limit: pageRows, ...(last === undefined ? {} : { after: last.address }) }),
    );
    await answerList(run, 'aliases', aliases, { line: textOf, none: 'no aliases\n' });
    return exit.done;
  });
}

function usersOf(resolution: Resolution): readonly string[] {
  return resolution.kind === 'found' ? resolution.targets.map(({ address }) => address) : [];
}

function textOf({ address, targets }: Alias): string {
  return `${safeText(address)}: ${safeText(targets.join(', '))}\n`;
}

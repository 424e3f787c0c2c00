/** `mstore domain` */
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { withAdministration } from './directory.ts';
import { exit } from './errors.ts';
import { allPages, answerList, pageRows } from './list.ts';

const addManual = `
Mail for the domain is ours: for those in it who are no user and no alias it is refused, no longer "not our domain". Adding a
user or an alias adds the domain too. A domain in its own letters is kept as xn--.`;

const removeManual = `
Refused (exit code 1) while users or aliases bear the domain, or aliases lead into it.`;

export function addDomain(program: Command): void {
  const domain = program.command('domain').description('domains that mail is taken for');
  const add = domain.command('add').description('add a domain').argument('<domain>', 'its name');
  works(add.addHelpText('after', addManual), addOne);
  const remove = domain.command('remove').description('remove a domain').argument('<domain>', 'its name');
  works(remove.addHelpText('after', removeManual), removeOne);
  works(domain.command('list').description('all domains'), list);
}

function addOne(run: Run): Promise<number> {
  return withAdministration(run, async (administration) => {
    const domain = await administration.addDomain(run.arg(0));
    await run.answer({ domain }, `Mail for ${domain} is taken.\n`);
    return exit.done;
  });
}

function removeOne(run: Run): Promise<number> {
  return withAdministration(run, async (administration) => {
    const domain = run.arg(0);
    await administration.removeDomain(domain);
    await run.answer({ domain }, `Mail for ${domain} is no longer taken.\n`);
    return exit.done;
  });
}

function list(run: Run): Promise<number> {
  return withAdministration(run, async (administration) => {
    const domains = allPages<string>((after) =>
      administration.domains({ limit: pageRows, ...(after === undefined ? {} : { after }) }),
    );
    await answerList(run, 'domains', domains, { line: (domain) => `${domain}\n`, none: 'no domains\n' });
    return exit.done;
  });
}

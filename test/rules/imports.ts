/** Who may import whom: between packages, between the folders of the store, and never in a circle. */
import { posix } from 'node:path';
import type { Import, Source, Violation } from './source.ts';

/** What the project's packages and the store's folders may import; the tables stand in `architecture.test.ts`. */
export interface ImportRules {
  /** Package folder → packages of ours that it may import. */
  readonly packages: Readonly<Record<string, readonly string[]>>;
  /** The store's floors from the top; a floor sees the ones below it, and its own unless `apart`. */
  readonly floors: readonly { readonly names: readonly string[]; readonly apart?: boolean }[];
  /** Store folder → its modules that others may import; folders not named here are open. */
  readonly faces: Readonly<Record<string, readonly string[]>>;
  /** Outside package or built-in module → the path prefixes that may import it. */
  readonly owned: Readonly<Record<string, readonly string[]>>;
}

const isTest = (path: string): boolean => path.startsWith('test/') || path.endsWith('.test.ts');

/** The package folder that a file belongs to; undefined outside packages/. */
function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\//.exec(path)?.[1];
}

/** The file that a relative import means, from the root; undefined for a package's name. */
function targetOf(source: Source, { specifier }: Import): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(source.path), specifier) : undefined;
}

/** Breaches of the rules between packages. */
export function checkPackageImports(source: Source, rules: ImportRules): Violation[] {
  const owner = packageOf(source.path);
  const found: Violation[] = [];
  const report = (line: number, problem: string): void => void found.push({ path: source.path, line, problem });
  for (const imported of source.imports) {
    const target = targetOf(source, imported);
    const ours = /^@mstore\/([^/]+)(\/.*)?$/.exec(imported.specifier);
    if (target !== undefined && packageOf(target) !== owner) {
      report(imported.line, `reaches ${target} by path: use the package's name`);
    } else if (ours !== null && owner !== undefined) {
      const [, name = '', subpath] = ours;
      if (!(rules.packages[owner] ?? []).includes(name)) report(imported.line, `${owner} may not import ${name}`);
      if (subpath !== undefined) report(imported.line, `${imported.specifier} is for test/: import @mstore/${name}`);
    }
    const owners = rules.owned[imported.specifier];
    if (owners !== undefined && !owners.some((prefix) => source.path.startsWith(prefix))) {
      report(imported.line, `only ${owners.join(', ')} may import ${imported.specifier}`);
    }
  }
  return found;
}

/** The name under which a file of the store stands in the tables: its folder, or its own name on the ground of `src`. */
function storePlace(path: string): { readonly folder: string; readonly module: string } | undefined {
  const match = /^packages\/store\/src\/(?:([^/]+)\/)?(.+?)(?:\.test)?\.ts$/.exec(path);
  if (match === null) return undefined;
  const [, folder, module = ''] = match;
  return { folder: folder ?? module, module };
}

/** Breaches of the order of folders inside the store, and reaches past a folder's face. */
export function checkStoreImports(source: Source, rules: ImportRules): Violation[] {
  const from = storePlace(source.path);
  if (from === undefined) return [];
  const floorOf = (folder: string): number => rules.floors.findIndex((floor) => floor.names.includes(folder));
  const floor = floorOf(from.folder);
  if (floor === -1) return [{ path: source.path, line: 1, problem: `${from.folder} has no floor in the table` }];
  const found: Violation[] = [];
  for (const imported of source.imports) {
    const to = storePlace(targetOf(source, imported) ?? '');
    if (to === undefined || to.folder === from.folder) continue;
    const below = floorOf(to.folder);
    const allowed = below > floor || (below === floor && rules.floors[floor]?.apart !== true);
    const face = rules.faces[to.folder];
    if (!allowed) {
      found.push({ path: source.path, line: imported.line, problem: `${from.folder} may not import ${to.folder}` });
    } else if (face !== undefined && !face.includes(to.module) && !isTest(source.path)) {
      const problem = `${to.folder}/${to.module} is not a face of ${to.folder} (${face.join(', ')})`;
      found.push({ path: source.path, line: imported.line, problem });
    }
  }
  return found;
}

/** Every import cycle, once, named by the module where it was found; type imports count. */
export function checkCycles(sources: readonly Source[]): Violation[] {
  const edges = new Map<string, readonly string[]>();
  for (const source of sources) {
    const targets = source.imports.map((imported) => targetOf(source, imported));
    edges.set(
      source.path,
      targets.filter((target) => target !== undefined),
    );
  }
  const found: Violation[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    const start = trail.indexOf(path);
    if (start !== -1) {
      found.push({ path, line: 1, problem: `imports itself: ${[...trail.slice(start), path].join(' → ')}` });
      return;
    }
    if (done.has(path)) return;
    trail.push(path);
    for (const target of edges.get(path) ?? []) visit(target);
    trail.pop();
    done.add(path);
  };
  for (const source of sources) visit(source.path);
  return found;
}

/** Packages of ours that a package.json lists although its package may not import them. */
export function checkManifest(path: string, text: string, rules: ImportRules): Violation[] {
  const owner = packageOf(path) ?? '';
  const allowed = rules.packages[owner];
  if (allowed === undefined) return [{ path, line: 1, problem: `package ${owner} is not in the table of imports` }];
  const listed = [...text.matchAll(/"@mstore\/([^"/]+)"\s*:/g)].map((match) => match[1] ?? '');
  const wrong = listed.filter((name) => !allowed.includes(name));
  return wrong.map((name) => ({ path, line: 1, problem: `${owner} may not depend on ${name}` }));
}

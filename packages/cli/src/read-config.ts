/** The configuration as commands need it: the store's schema, and what only the directory can tell of it. */
import { normalAddress } from '@mstore/directory';
import { ConfigError, type LoadedConfig, loadConfig } from '@mstore/store';

/** @throws ConfigError */
export async function readConfig(directory: string, file?: string): Promise<LoadedConfig> {
  const loaded = await loadConfig(directory, file);
  const { defaultDomain } = loaded.config.login;
  if (defaultDomain === '' || normalAddress(`postmaster@${defaultDomain}`) !== undefined) return loaded;
  throw new ConfigError(`${loaded.path}: login.defaultDomain must be a domain, or "" for none`);
}

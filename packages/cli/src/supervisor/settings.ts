/** The configuration of a running service, and what of a changed one needs a restart. */
import type { LoadedConfig, Setting } from '@mstore/store';
import { readConfig } from '../read-config.ts';

/** Keys that a running daemon reads again (lda's `writer-main.ts`); all others wait for the start of its next process. */
const reread: readonly RegExp[] = [/^delivery\.detail$/, /^quota\.overQuota$/, /^retention\./];

function isFixed(key: string): boolean {
  return !reread.some((keys) => keys.test(key));
}

export class Settings {
  readonly #directory: string;
  readonly #file: string | undefined;
  #loaded: LoadedConfig;

  private constructor(directory: string, file: string | undefined, loaded: LoadedConfig) {
    this.#directory = directory;
    this.#file = file;
    this.#loaded = loaded;
  }

  /** @throws ConfigError */
  static async load(directory: string, file?: string): Promise<Settings> {
    return new Settings(directory, file, await readConfig(directory, file));
  }

  get loaded(): LoadedConfig {
    return this.#loaded;
  }

  /** Reads the file again; the changed keys that have no effect before a restart. @throws ConfigError, keeping what was */
  async reload(): Promise<readonly string[]> {
    const next = await readConfig(this.#directory, this.#file);
    const before = new Map(this.#loaded.settings.map(({ key, value }) => [key, JSON.stringify(value)]));
    const isChanged = ({ key, value }: Setting): boolean => before.get(key) !== JSON.stringify(value);
    const changed = next.settings.filter(isChanged).map(({ key }) => key);
    const pending = changed.filter(isFixed);
    // What waits for a restart is told again at each reload until then.
    const running = this.#loaded.settings.filter(({ key }) => isFixed(key));
    this.#loaded = { ...next, settings: [...next.settings.filter(({ key }) => !isFixed(key)), ...running] };
    return pending;
  }
}

/** The configuration of a running service, and what of a changed one needs a restart. */
import type { LoadedConfig, Setting } from '@mstore/store';
import { readConfig } from '../read-config.ts';
import { type Listening, listening } from './listen.ts';

/** Keys that a running daemon reads again (lda's `writer-main.ts`, pop3d's `pop3d.ts`); all others wait for the start of its next process. */
const reread: readonly RegExp[] = [/^delivery\.detail$/, /^quota\.overQuota$/, /^retention\./];

function isFixed(key: string): boolean {
  return !reread.some((keys) => keys.test(key));
}

export class Settings {
  readonly #directory: string;
  readonly #file: string | undefined;
  readonly #given: readonly string[];
  /** Where to listen, from the start on. */
  readonly listening: Listening;
  #loaded: LoadedConfig;

  private constructor(directory: string, file: string | undefined, given: readonly string[], loaded: LoadedConfig) {
    this.#directory = directory;
    this.#file = file;
    this.#given = given;
    this.listening = listeningOf(directory, given, loaded);
    this.#loaded = loaded;
  }

  /** @param given the words of `--listen` @throws ConfigError @throws CommandError usage, configuration */
  static async load(directory: string, file: string | undefined, given: readonly string[]): Promise<Settings> {
    return new Settings(directory, file, given, await readConfig(directory, file));
  }

  get loaded(): LoadedConfig {
    return this.#loaded;
  }

  /**
   * Reads the file again; the changed keys that have no effect before a restart.
   * @throws ConfigError @throws CommandError configuration; both keep what was
   */
  async reload(): Promise<readonly string[]> {
    const next = await readConfig(this.#directory, this.#file);
    // What could not be opened after a restart is refused now.
    listeningOf(this.#directory, this.#given, next);
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

function listeningOf(directory: string, given: readonly string[], { config, path }: LoadedConfig): Listening {
  return listening({ directory, config, file: path, given });
}

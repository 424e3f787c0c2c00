/**
 * The schema's versions in order. SQLite's `user_version` counts those a file has been through; each runs once, in a
 * transaction of its own together with the new count.
 */
import { directorySchema } from './0001-directory.ts';

export const migrations: readonly string[] = [directorySchema];

/** The version that this release reads and writes. */
export const schemaVersion: number = migrations.length;

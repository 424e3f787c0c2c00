/** The program of the thread that changes the file: one request after another, each durable when answered. */
import { parentPort, workerData } from 'node:worker_threads';
import { SqliteChanges } from './sqlite-changes.ts';
import { asDirectoryError, openForChanges } from './sqlite-file.ts';

/** What the thread is started with. */
export interface WorkerSettings {
  readonly path: string;
  readonly detailSeparator: string;
}

/** What can be asked of it. */
export type ChangeName = Exclude<keyof SqliteChanges, 'close'>;

export interface ChangeRequest {
  readonly id: number;
  /** Absent: close the file. */
  readonly name?: ChangeName;
  readonly args: readonly unknown[];
}

let changes: SqliteChanges | undefined;

function perform({ path, detailSeparator }: WorkerSettings, { name, args }: ChangeRequest): unknown {
  if (name === undefined) {
    changes?.close();
    changes = undefined;
    return undefined;
  }
  changes ??= new SqliteChanges(openForChanges(path), detailSeparator);
  return Reflect.apply(changes[name], changes, args);
}

function answer(settings: WorkerSettings, request: ChangeRequest): unknown {
  try {
    return { id: request.id, value: perform(settings, request) };
  } catch (thrown) {
    const { code, message } = asDirectoryError(thrown, settings.path);
    return { id: request.id, refusal: { code, message } };
  }
}

const settings: WorkerSettings = workerData;
parentPort?.on('message', (request: ChangeRequest) => parentPort?.postMessage(answer(settings, request)));

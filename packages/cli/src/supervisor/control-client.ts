/** Asking a running service over its control socket. */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { errnoOf } from '@mstore/store';
import { CommandError, exit } from '../errors.ts';
import { limits } from './limits.ts';

/** The rows of the answer, and its last line. */
export interface ControlAnswer {
  readonly rows: readonly object[];
  readonly end: object;
}

export function controlPath(directory: string): string {
  return `${directory}/run/control.sock`;
}

/** @throws CommandError when no service runs, or it cannot tell */
export async function askService(directory: string, question: object): Promise<ControlAnswer> {
  const socket = connect(controlPath(directory));
  socket.setTimeout(limits.controlIdleMs, () => socket.destroy(new Error('the service does not answer')));
  const failed = new Promise<never>((_, reject) => socket.once('error', reject));
  socket.end(`${JSON.stringify(question)}\n`);
  const rows: object[] = [];
  const read = async (): Promise<ControlAnswer> => {
    for await (const line of createInterface({ input: socket })) {
      const answer: unknown = JSON.parse(line);
      if (typeof answer !== 'object' || answer === null) break;
      if ('problem' in answer) throw new CommandError(exit.tryAgain, `the service says: ${answer.problem}`);
      if ('done' in answer) return { rows, end: answer };
      if ('row' in answer && typeof answer.row === 'object' && answer.row !== null) rows.push(answer.row);
    }
    throw new CommandError(exit.tryAgain, 'the service ended while it answered');
  };
  try {
    return await Promise.race([read(), failed]);
  } catch (error) {
    throw notAnswered(directory, error);
  } finally {
    socket.destroy();
  }
}

/** Asks a question whose answer goes on: its rows, until `stopping` is raised. @throws CommandError as askService does */
export async function* followService(
  directory: string,
  question: object,
  stopping: AbortSignal,
): AsyncGenerator<object, void, undefined> {
  const socket = connect(controlPath(directory));
  const lines = createInterface({ input: socket });
  stopping.addEventListener('abort', () => socket.destroy());
  // Of a socket that is destroyed nobody else tells who waits for a line.
  socket.on('close', () => lines.close());
  socket.write(`${JSON.stringify(question)}\n`);
  let broken: unknown;
  socket.on('error', (error) => {
    broken = error;
  });
  try {
    for await (const line of lines) {
      const answer: unknown = JSON.parse(line);
      if (typeof answer !== 'object' || answer === null) break;
      if ('problem' in answer) throw new CommandError(exit.tryAgain, `the service says: ${answer.problem}`);
      if ('row' in answer && typeof answer.row === 'object' && answer.row !== null) yield answer.row;
    }
    if (stopping.aborted) return;
    throw broken ?? new CommandError(exit.tryAgain, 'the service ended the trace');
  } catch (error) {
    throw notAnswered(directory, error);
  } finally {
    socket.destroy();
  }
}

function notAnswered(directory: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'ECONNREFUSED') {
    return new CommandError(exit.unavailable, `no service runs in ${directory}`);
  }
  if (errno === 'EACCES') return new CommandError(exit.noPermission, `${controlPath(directory)}: permission denied`);
  return error;
}

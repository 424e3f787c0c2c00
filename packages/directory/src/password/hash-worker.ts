/** The program of a hashing thread: answers one request after another, in order. See hash-pool.ts. */
import { getPriority, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { errorText } from '../errors.ts';
import { type HashRequest, make, verify } from './work.ts';

function answer(request: HashRequest): unknown {
  try {
    return request.kind === 'verify'
      ? { value: verify(request.stored, request.password) }
      : { value: make(request.password, request.cost) };
  } catch (error) {
    return { failure: errorText(error) };
  }
}

// The event loop goes first. Only Linux gives each thread a priority of its own; elsewhere this would be the whole process.
// One that was started with less may not have more.
if (process.platform === 'linux' && getPriority() < 5) setPriority(0, 5);

parentPort?.on('message', (request: HashRequest) => parentPort?.postMessage(answer(request)));

/** The program of a hashing thread: answers one request after another, in order. See hash-pool.ts. */
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

parentPort?.on('message', (request: HashRequest) => parentPort?.postMessage(answer(request)));

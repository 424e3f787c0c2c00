/** Local delivery: what the programs of this package and the administrator's command share. */
import { fileURLToPath } from 'node:url';

export type {
  DeliveryOutcome,
  DeliveryRequest,
  DeliveryTrace,
  Recipient,
  Refusal,
  RefusalKind,
} from './delivery.ts';

/** The writer's program, which takes LMTP as well. */
export const writerProgram: string = fileURLToPath(new URL('./writer-main.js', import.meta.url));

/** Local delivery: what the programs of this package and the administrator's command share. */
import { fileURLToPath } from 'node:url';

export type {
  DeliveryOutcome,
  DeliveryRequest,
  DeliverySettings,
  DeliveryTrace,
  Recipient,
  Refusal,
  RefusalKind,
} from './delivery.ts';
export { Delivery, type DeliveryOptions } from './delivery-core.ts';
export { DeliveryLog } from './delivery-log.ts';
export { dropFromLine } from './from-line.ts';
export { LdaServer, type LdaServerOptions } from './lda-server.ts';
export { Lmtpd, type LmtpdOptions } from './lmtpd.ts';
export type { PipeSettings } from './pipe-delivery.ts';
export { reversePathOf } from './sender.ts';
export { catalogFailedExit, deliverySettings, pipeSettings } from './settings.ts';

/** The program of the writer's process. */
export const writerProgram: string = fileURLToPath(new URL('./writer-main.js', import.meta.url));

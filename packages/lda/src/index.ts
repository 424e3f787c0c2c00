/** Local delivery: what the programs of this package and the administrator's command share. */
export type {
  DeliveryOutcome,
  DeliveryRequest,
  DeliveryTrace,
  Recipient,
  Refusal,
  RefusalKind,
} from './delivery.ts';

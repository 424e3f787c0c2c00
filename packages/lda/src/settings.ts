/** What the configuration says about delivery. */
import { hostname } from 'node:os';
import type { Config } from '@mstore/store';
import type { DeliverySettings } from './delivery.ts';
import type { PipeSettings } from './pipe-delivery.ts';

export function deliverySettings({ server, quota, delivery }: Config): DeliverySettings {
  const name = server.name === '' ? hostname() || 'localhost' : server.name;
  return { name, route: server.route, overQuota: quota.overQuota, detail: delivery.detail };
}

export function pipeSettings({ login, delivery }: Config): PipeSettings {
  return { defaultDomain: login.defaultDomain, detailSeparator: delivery.detailSeparator };
}

/** With this code the writer ends when the catalog's device failed: the next one is to be started with `--new-catalog`. */
export const catalogFailedExit = 71;

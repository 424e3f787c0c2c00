/** What the log and the metrics say of the store itself: a disk that fills up or fails, and what the writer does about it. */
import type { Log, Metrics } from '@mstore/net';
import type { StoreHealth, StoreNotice } from '@mstore/store';

/** A line for the administrator; what is over or done by itself is no warning. */
export function logNotice(log: Log, notice: StoreNotice): void {
  switch (notice.kind) {
    case 'rebuilding':
      log.warn('the catalog is made again from the heap: no mail is taken meanwhile', { why: notice.why });
      return;
    case 'rebuilt':
      log.warn('the catalog was made again', { catalog: notice.generation, entries: notice.entries });
      return;
    case 'space':
      logSpace(log, notice);
      return;
    case 'reserve':
      if (notice.state === 'whole') log.info('the reserve is whole', { bytes: notice.bytes });
      else log.warn('the reserve is given away to make space', { bytes: notice.bytes });
      return;
    case 'deviceErrors':
      log.error('the device failed: a write or sync of the heap', { errors: notice.count, why: notice.why });
      return;
    case 'device':
      if (notice.takesChanges) log.warn('the device works again: changes are taken', { why: notice.why });
      else log.error('the device keeps failing: changes are refused, reading goes on', { why: notice.why });
  }
}

function logSpace(log: Log, { level, freeBytes }: Extract<StoreNotice, { kind: 'space' }>): void {
  if (level === 'ok') log.warn('there is room on the disk again: new mail is taken', { freeBytes });
  else if (level === 'noNewMail') log.error('the disk is nearly full: new mail is refused for now', { freeBytes });
  else log.error('the disk is full: every change is refused for now', { freeBytes });
}

/** Values that are asked for when the page is read. */
export function measureHealth(metrics: Metrics, health: () => StoreHealth): void {
  const levels = ['ok', 'noNewMail', 'readOnly'] as const;
  const gauge = (name: string, help: string, read: (now: StoreHealth) => number): void =>
    metrics.gauge(name, help, () => read(health()));
  gauge('mstore_space_level', '0: room; 1: new mail is refused; 2: every change is', ({ space }) =>
    levels.indexOf(space),
  );
  gauge(
    'mstore_free_bytes',
    'Octets free to the store, less what its reserve is short of',
    (now) => now.freeBytes ?? 0,
  );
  gauge('mstore_reserve_bytes', 'Octets of the reserve file', (now) => now.reserveBytes);
  gauge('mstore_device_errors', 'Writes and syncs of the heap that failed in this process', (now) => now.deviceErrors);
  gauge('mstore_takes_changes', '0 while changes are refused after device errors', (now) => Number(now.takesChanges));
  gauge(
    'mstore_catalog_write_seconds',
    'For how long the catalog transaction under way runs',
    (now) => now.catalogMs / 1_000,
  );
}

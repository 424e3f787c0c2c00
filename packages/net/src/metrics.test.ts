import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseListenAddress } from './address.ts';
import { GatheredMetrics, Metrics, serveMetrics } from './metrics.ts';

test('the page shows what was counted, observed and asked for', async () => {
  const metrics = new Metrics(false);
  const deliveries = metrics.counter('mstore_deliveries_total', 'Messages delivered', ['result']);
  deliveries.add(1, { result: 'ok' });
  deliveries.add(2, { result: 'ok' });
  metrics.histogram('mstore_commit_seconds', 'Time of a commit', [0.01, 0.1]).observe(0.05);
  let connections = 1;
  metrics.gauge('mstore_connections', 'Connections open', () => connections);
  connections = 7;
  const server = await serveMetrics(metrics, parseListenAddress('127.0.0.1:0'));
  const response = await fetch(`http://${server.address}/metrics`);
  const page = await response.text();
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain/);
  assert.match(page, /^mstore_deliveries_total\{result="ok"\} 3$/m);
  assert.match(page, /^mstore_commit_seconds_bucket\{le="0.1"\} 1$/m);
  assert.match(page, /^mstore_connections 7$/m);
  await server.close();
});

test('anything else than GET /metrics is refused', async () => {
  const server = await serveMetrics(new Metrics(), parseListenAddress('127.0.0.1:0'));
  assert.equal((await fetch(`http://${server.address}/`)).status, 404);
  assert.equal((await fetch(`http://${server.address}/metrics`, { method: 'POST' })).status, 405);
  assert.match(await (await fetch(`http://${server.address}/metrics?x`)).text(), /process_/);
  await server.close();
});

test('several processes share a page: our metrics are added up, those of a process bear its name', async () => {
  const counted = new Map<string, readonly object[]>();
  for (const [name, amount] of [
    ['writer', 2],
    ['pop3', 3],
  ] as const) {
    const metrics = new Metrics();
    metrics.counter('mstore_sessions_total', 'Sessions', ['protocol']).add(amount, { protocol: 'any' });
    metrics.gauges('mstore_up', 'Which run', 'child', () => [[name, 1]]);
    // As it crosses an IPC channel.
    counted.set(name, JSON.parse(JSON.stringify(await metrics.json())));
  }
  const page = await new GatheredMetrics(async () => counted).page();
  assert.match(page, /^mstore_sessions_total\{protocol="any"\} 5$/m);
  assert.match(page, /^mstore_up\{child="writer"\} 1\nmstore_up\{child="pop3"\} 1$/m);
  assert.match(page, /^process_resident_memory_bytes\{process="writer"\} \d+$/m);
  assert.match(page, /^process_start_time_seconds\{process="pop3"\} \d+$/m);
});

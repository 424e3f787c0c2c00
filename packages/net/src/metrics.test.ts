import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseListenAddress } from './address.ts';
import { Metrics, serveMetrics } from './metrics.ts';

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

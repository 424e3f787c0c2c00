/** Counters, gauges and histograms, and the HTTP page that Prometheus reads them from: of one process, or of several together. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { formatListenAddress, type ListenAddress, type OpenOptions, openServer } from './address.ts';
import { errorText } from './errors.ts';
import { limits } from './limits.ts';

/** Values of a metric's labels; few and fixed, never a login or an address. */
export type Labels = Readonly<Record<string, string>>;

/** Counts up. */
export interface MetricCounter {
  add(amount?: number, labels?: Labels): void;
}

/** Observes durations or sizes. */
export interface MetricHistogram {
  observe(value: number, labels?: Labels): void;
}

/** The metrics of a process; names begin with `mstore_` and end with their unit. */
export class Metrics {
  readonly #registry = new Registry();

  /** @param processMetrics memory, event loop and descriptors of the process as well */
  constructor(processMetrics: boolean = true) {
    // The event loop is looked at 10 times a second: 100 times, the default, keeps an idle machine awake.
    if (processMetrics) collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 100 });
  }

  counter(name: string, help: string, labelNames: readonly string[] = []): MetricCounter {
    const counter = new Counter({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
    return { add: (amount = 1, labels = {}) => counter.inc({ ...labels }, amount) };
  }

  /** @param buckets upper bounds, rising, in the metric's unit */
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly string[] = [],
  ): MetricHistogram {
    const histogram = new Histogram({
      name,
      help,
      buckets: [...buckets],
      labelNames: [...labelNames],
      registers: [this.#registry],
    });
    return { observe: (value, labels = {}) => histogram.observe({ ...labels }, value) };
  }

  /** A value that is asked for when the page is read. */
  gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.#registry], collect: () => gauge.set(read()) });
  }

  /** As `gauge`, with a value for each value of a label. */
  gauges(name: string, help: string, label: string, read: () => Iterable<readonly [string, number]>): void {
    const collect = (): void => {
      for (const [of, value] of read()) gauge.set({ [label]: of }, value);
    };
    const gauge: Gauge = new Gauge({ name, help, labelNames: [label], registers: [this.#registry], collect });
  }

  /** The page, in Prometheus' text format. */
  page(): Promise<string> {
    return this.#registry.metrics();
  }

  /** The same as objects that can be sent to another process, and put together there. */
  json(): Promise<object[]> {
    return this.#registry.getMetricsAsJSON();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}

/** What a page shows; `Metrics` is one. */
export interface MetricsPage {
  page(): Promise<string>;
  readonly contentType: string;
}

/** What each process counted (`Metrics.json`), by the name it shall have there. */
export type CountedBy = ReadonlyMap<string, readonly object[]>;

/**
 * The metrics of several processes on one page. Ours are added up; those of Node and the system, which mean one process, are told
 * apart by the label `process`.
 */
export class GatheredMetrics implements MetricsPage {
  readonly #gather: () => Promise<CountedBy>;

  constructor(gather: () => Promise<CountedBy>) {
    this.#gather = gather;
  }

  get contentType(): string {
    return AggregatorRegistry.PROMETHEUS_CONTENT_TYPE;
  }

  async page(): Promise<string> {
    const counted = await this.#gather();
    const all = [...counted].map(([name, metrics]) => metrics.map((metric) => ofProcess(name, metric)));
    return AggregatorRegistry.aggregate(all).metrics();
  }
}

function ofProcess(name: string, metric: object): object {
  if (!('name' in metric) || String(metric.name).startsWith('mstore_')) return metric;
  if (!('values' in metric) || !Array.isArray(metric.values)) return metric;
  const values = metric.values.map((value: object) => {
    const labels = 'labels' in value && typeof value.labels === 'object' ? value.labels : {};
    return { ...value, labels: { ...labels, process: name } };
  });
  // With a label of its own there is nothing to add up; `omit` would leave it out.
  return { ...metric, values, aggregator: 'sum' };
}

/** Serves `GET /metrics`; made by `serveMetrics`. */
export class MetricsServer {
  readonly #server: Server;
  /** Where it listens. */
  readonly address: string;

  constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

/** Opens the metrics page at an address. */
export async function serveMetrics(
  metrics: MetricsPage,
  address: ListenAddress,
  options: OpenOptions = {},
): Promise<MetricsServer> {
  const server = createServer({ maxHeaderSize: limits.metricsRequestBytes, requestTimeout: 10_000 });
  server.maxConnections = 16;
  server.on('request', (request, response) => {
    const [path] = (request.url ?? '').split('?');
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, 'text/plain', 'GET only\n');
    else if (path !== '/metrics') answer(response, 404, 'text/plain', 'see /metrics\n');
    else {
      metrics.page().then(
        (page) => answer(response, 200, metrics.contentType, page),
        (error: unknown) => answer(response, 500, 'text/plain', `${errorText(error)}\n`),
      );
    }
  });
  const bound = await openServer(server, address, options);
  // A failed accept(2) costs a page; unheard it would end the process.
  server.on('error', () => undefined);
  return new MetricsServer(server, formatListenAddress(bound));
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

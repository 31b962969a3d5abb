import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import CounterOf from 'prom-client/lib/counter.js';
import GaugeOf from 'prom-client/lib/gauge.js';
import HistogramOf from 'prom-client/lib/histogram.js';
import RegistryOf from 'prom-client/lib/registry.js';
import { onFirstUse } from './on-first-use.ts';

/** The metrics of a process, as they travel to another. */
export type CollectedMetrics = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** The server's Prometheus metrics. */
export type Metrics = {
  /** All of them, those of the other processes of this server included, in the text format of Prometheus. */
  expose(): Promise<string>;
  /** Those of this process, for another one that exposes them. */
  collect(): Promise<CollectedMetrics>;
  contentType: string;
  tokensIssued: Counter<'grant_type'>;
  refreshes: Counter<'verdict'>;
  introspections: Counter<'active'>;
  refusals: Counter<'endpoint' | 'reason'>;
  signIns: Counter<'outcome'>;
  endings: Counter<'kind' | 'reason'>;
  feedReceivers: Gauge;
  /** Starts the clock of one request; the returned function stops it. */
  timeRequest(endpoint: string): () => void;
};

/** Sums of the metrics of several processes; some of Node's own are averaged or left out, as they say of themselves. */
export async function addMetrics(metrics: readonly CollectedMetrics[]): Promise<CollectedMetrics> {
  return (await sumOf(metrics)).getMetricsAsJSON();
}

async function sumOf(metrics: readonly CollectedMetrics[]): Promise<Registry> {
  const { AggregatorRegistry } = await import('prom-client');
  return AggregatorRegistry.aggregate([...metrics]);
}

/** Makes a registry of its own, so that several servers can live in one process. `ofAll`: brings the metrics of all processes that serve the same port, this one's among them. */
export function createMetrics(ofAll?: () => Promise<CollectedMetrics[]>): Metrics {
  const registry = new RegistryOf();
  const registers = [registry];
  // Node's own metrics are loaded when somebody looks for the first time.
  const complete = onFirstUse(async () => {
    const { collectDefaultMetrics } = await import('prom-client');
    collectDefaultMetrics({ register: registry });
  });
  const collect = async () => {
    await complete();
    return registry.getMetricsAsJSON();
  };
  return {
    expose: async () => {
      if (ofAll) return (await sumOf(await ofAll())).metrics();
      await collect();
      return registry.metrics();
    },
    collect,
    contentType: registry.contentType,
    tokensIssued: new CounterOf({
      name: 'tessera_tokens_issued_total',
      help: 'Access tokens issued.',
      labelNames: ['grant_type'],
      registers,
    }),
    refreshes: new CounterOf({
      name: 'tessera_refreshes_total',
      help: 'Refresh tokens judged, by verdict.',
      labelNames: ['verdict'],
      registers,
    }),
    introspections: new CounterOf({
      name: 'tessera_introspections_total',
      help: 'Tokens introspected.',
      labelNames: ['active'],
      registers,
    }),
    refusals: new CounterOf({
      name: 'tessera_refusals_total',
      help: 'Requests refused, by reason.',
      labelNames: ['endpoint', 'reason'],
      registers,
    }),
    signIns: new CounterOf({
      name: 'tessera_sign_ins_total',
      help: 'Sign-ins, by outcome.',
      labelNames: ['outcome'],
      registers,
    }),
    endings: new CounterOf({
      name: 'tessera_endings_total',
      help: 'Sessions and grants ended.',
      labelNames: ['kind', 'reason'],
      registers,
    }),
    feedReceivers: new GaugeOf({
      name: 'tessera_feed_receivers',
      help: 'Polls of the revocation feed under way.',
      registers,
    }),
    timeRequest: timer(
      new HistogramOf({
        name: 'tessera_request_seconds',
        help: 'Time to answer, in seconds.',
        labelNames: ['endpoint'],
        buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
        registers,
      }),
    ),
  };
}

/** A timer by endpoint. The histogram's child for an endpoint is looked up once: its labels would else be hashed with each request. */
function timer(histogram: Histogram<'endpoint'>): (endpoint: string) => () => void {
  const children = new Map<string, Histogram.Internal<'endpoint'>>();
  return (endpoint) => {
    const child = children.get(endpoint) ?? histogram.labels({ endpoint });
    children.set(endpoint, child);
    const beganMs = performance.now();
    return () => child.observe((performance.now() - beganMs) / 1000);
  };
}

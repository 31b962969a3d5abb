import type { CollectedMetrics } from '../../metrics.ts';
import type { TesseraServer } from '../../server.ts';
import { describeFailure } from '../failure.ts';
import { lingerMs } from '../linger.ts';
import { explainListen } from '../listen-failure.ts';
import type { FromWorker, ToWorker } from './messages.ts';

/** How long, in milliseconds, the primary may take to bring the metrics of all workers. */
const answerMs = 5000;

// One of the processes that serve a port: started by `primary.ts`, which owns the port, and told by it what to do. When the primary is gone the process ends by
// itself: Node's cluster module sees to that.
const questions = new Map<number, (metrics: CollectedMetrics[]) => void>();
let asked = 0;
let server: Promise<TesseraServer> | undefined;
let isStopping = false;

process.on('message', (message: ToWorker) => {
  if (message.kind === 'start') void start(message);
  else if (message.kind === 'stop') void stop();
  else if (message.kind === 'collect') void collect(message.question);
  else questions.get(message.question)?.(message.metrics);
});
// Ctrl-C reaches every process of the terminal: when to stop is the primary's to say.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('SIGTERM', () => void stop());

async function start({ config, declares }: Extract<ToWorker, { kind: 'start' }>): Promise<void> {
  try {
    server = import('../../server.ts').then(({ createServer }) => createServer({ config, declares, metricsOfAll }));
    const { url } = await (await server).listen().catch((error) => Promise.reject(explainListen(error, config)));
    send({ kind: 'ready', url });
  } catch (error) {
    const { message, exitCode } = describeFailure(error);
    send({ kind: 'failed', message, exitCode });
    await stop(exitCode);
  }
}

/** Answers what is under way and ends. */
async function stop(exitCode = 0): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  // A failure to start was told already.
  await (await server?.catch(() => undefined))?.close({ lingerMs });
  process.exit(exitCode);
}

async function collect(question: number): Promise<void> {
  // One that cannot start has said so.
  const metrics = await (await server?.catch(() => undefined))?.context.metrics.collect();
  if (metrics) send({ kind: 'metrics', question, metrics });
}

function metricsOfAll(): Promise<CollectedMetrics[]> {
  const question = ++asked;
  return new Promise<CollectedMetrics[]>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error('the metrics of the workers did not come; is the primary process frozen?')),
      answerMs,
    );
    questions.set(question, (metrics) => {
      clearTimeout(timer);
      resolve(metrics);
    });
    send({ kind: 'ask', question });
  }).finally(() => questions.delete(question));
}

function send(message: FromWorker): void {
  // Without a channel the primary is gone, and this process is ending.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

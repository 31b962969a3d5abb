import { Session } from 'node:inspector/promises';

/**
 * What a subject's program is started with, as JSON in its first argument. `sessions`: how many signed-in browsers it prepares before it listens. `store`: the connection
 * string of a Postgres database; without it the store is a file in `folder`. `isGrouped`: of the peer, how it uses its store.
 */
export type SubjectOptions = { port: number; folder: string; sessions: number; store?: string; isGrouped?: boolean };

/** What it says once it listens. */
export type SubjectReady = { issuer: string; cookies: string[]; usernames: string[] };

/** Runs a subject's program: reads its options, says when it is ready, and stops when whoever started it is gone. */
export function runSubject(
  start: (options: SubjectOptions) => Promise<SubjectReady>,
  stop: () => Promise<void> = async () => undefined,
): void {
  const options = JSON.parse(process.argv[2] ?? '{}') as SubjectOptions;
  const end = () => void stop().finally(() => process.exit(0));
  process.once('disconnect', end);
  process.once('SIGTERM', end);
  const profiler = new Session();
  process.on('message', async (message: { profile?: 'start' | 'stop' }) => {
    if (message.profile === 'start') {
      profiler.connect();
      await profiler.post('Profiler.enable');
      await profiler.post('Profiler.setSamplingInterval', { interval: 200 });
      await profiler.post('Profiler.start');
      process.send?.({ profiled: null });
    } else if (message.profile === 'stop') {
      const { profile } = await profiler.post('Profiler.stop');
      profiler.disconnect();
      process.send?.({ profiled: profile });
    }
  });
  start(options).then(
    (ready) => process.send?.({ ready }),
    (error: unknown) => {
      process.send?.({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      process.exit(1);
    },
  );
}

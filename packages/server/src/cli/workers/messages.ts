import type { Config } from '../../config/config.ts';
import type { CollectedMetrics } from '../../metrics.ts';

/**
 * What a worker is told. `start` carries the settings the primary read, so that a file that changes meanwhile does not part the workers. `collect` asks for its
 * metrics; `declares`: whether it puts what the configuration declares into the store; `collected` answers its own question for those of all.
 */
export type ToWorker =
  | { kind: 'start'; config: Config; declares: boolean }
  | { kind: 'stop' }
  | { kind: 'collect'; question: number }
  | { kind: 'collected'; question: number; metrics: CollectedMetrics[] };

/** What a worker says. `failed`: why it cannot serve, in words for the person at the terminal. */
export type FromWorker =
  | { kind: 'ready'; url: string }
  | { kind: 'failed'; message: string; exitCode: number }
  | { kind: 'ask'; question: number }
  | { kind: 'metrics'; question: number; metrics: CollectedMetrics };

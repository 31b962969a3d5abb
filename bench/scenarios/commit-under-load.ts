import { storeFile } from '../../packages/server/src/store/open-store.ts';
import { ascending, quantile } from '../measure/distribution.ts';
import type { Population } from '../population/populate.ts';
import { type Row, rounded, rowOfFigure } from '../report.ts';
import type { CommitResult, CommitTask } from '../subjects/committer.ts';
import { programCommand, runProgram } from '../subjects/start-subject.ts';
import { mebibyte } from './start.ts';

/** The commit of one refresh in a thousand that waited longest, while refreshes come whether the store keeps up or not, checkpoints included. SQLite alone, without a server around it. */
export async function runCommitUnderLoad(
  { place, sessions }: Population,
  offered: { perSecond: number; seconds: number },
): Promise<Row> {
  const task: CommitTask = { file: storeFile(place.folder), ...offered };
  const result = await runProgram<CommitResult>(
    programCommand('committer.ts', JSON.stringify(task), 'all'),
    'the commits',
  );
  const [waited, committed] = [ascending(result.waitedMs), ascending(result.committedMs)];
  return {
    ...rowOfFigure(
      { scenario: 'commit_under_load', store: 'sqlite', subject: 'tessera' },
      'ms',
      quantile(waited, 0.999),
      {
        sessions,
        offered_per_s: offered.perSecond,
        done_per_s: rounded((waited.length * 1000) / result.elapsedMs),
        max_ms: rounded(waited.at(-1) ?? Number.NaN),
        commit_alone_p999_ms: rounded(quantile(committed, 0.999)),
        log_mib: rounded(result.logBytes / mebibyte),
        checkpoints: result.checkpoints,
        log_restarts: result.restarts,
      },
    ),
    p50_ms: rounded(quantile(waited, 0.5)),
    p99_ms: rounded(quantile(waited, 0.99)),
    errors: result.errors,
  };
}

import { median } from '../measure/distribution.ts';
import { type About, type Row, rounded, rowOfFigure, rowOfTimes, withRatios } from '../report.ts';
import type { EdgeResult, EdgeTask, VerifyRound } from '../subjects/edges.ts';
import { programCommand, runProgram } from '../subjects/start-subject.ts';
import type { StoreName } from './scenario.ts';

/** Verification at the edge: the first time a token is seen, and when it was seen before. `limit`: the signature alone. */
export async function runVerification(
  issuer: string,
  store: StoreName,
  extent: { tokens: number; rounds: number; seconds: number },
): Promise<Row[]> {
  const { tokens, rounds, seconds } = extent;
  const task: EdgeTask = { kind: 'verify', issuer, tokens, rounds, milliseconds: seconds * 1000 };
  const result = await runEdges(task, 'first');
  if (result.kind !== 'verify') throw new TypeError('the edges answered another task');
  return [
    ...withRatios([
      rowOfVerification({ scenario: 'edge_verify_first', store, subject: 'tessera' }, result.first),
      rowOfVerification({ scenario: 'edge_verify_first', store, subject: 'limit' }, result.bare),
    ]),
    rowOfVerification({ scenario: 'edge_verify_remembered', store, subject: 'tessera' }, result.remembered),
  ];
}

/** From the acknowledged revocation to the refusal of the last of so many edges. */
export async function runRevocation(
  issuer: string,
  store: StoreName,
  extent: { edges: number; repeats: number; cookie: string | undefined },
): Promise<Row> {
  const result = await runEdges({ kind: 'revoke', issuer, ...extent }, 'others');
  if (result.kind !== 'revoke') throw new TypeError('the edges answered another task');
  if (result.errors[0] !== undefined) console.error(`${extent.edges} edges: ${result.errors[0]}`);
  return rowOfTimes(
    { scenario: `revocation_to_refusal_${extent.edges}`, store, subject: 'tessera' },
    result.milliseconds,
    result.errors.length,
  );
}

function runEdges(task: EdgeTask, where: 'first' | 'others'): Promise<EdgeResult> {
  return runProgram(programCommand('edges.ts', JSON.stringify(task), where), 'the edges');
}

function rowOfVerification(about: About, rounds: readonly VerifyRound[]): Row {
  const best = rounds.reduce((a, b) => (b.perCpuSecond > a.perCpuSecond ? b : a));
  return {
    ...rowOfFigure(about, 'ops/cpu_s', best.perCpuSecond),
    median: rounded(median(rounds.map((round) => round.perCpuSecond))),
    p50_ms: rounded(best.p50Ms),
    p99_ms: rounded(best.p99Ms),
    errors: rounds.reduce((sum, round) => sum + round.errors, 0),
  };
}

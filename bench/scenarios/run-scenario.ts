import { type Round, type RoundLimit, runLoad } from '../load/run-load.ts';
import type { Target } from '../load/target.ts';
import { type Row, rowOfRounds, withRatios } from '../report.ts';
import type { Extent, Prepared, Scenario, SubjectName } from './scenario.ts';

/** Servers that can be put under load, by name. */
export type Targets = Partial<Record<SubjectName, Target>>;

/**
 * Measures a scenario at all its subjects. They take turns round by round (A B, B A, …), so that what else the machine does meets all of them; a short round before warms each up.
 */
export async function runScenario(scenario: Scenario, targets: Targets, extent: Extent): Promise<Row[]> {
  const limit: RoundLimit = {
    milliseconds: extent.seconds * 1000 * (scenario.longer ?? 1),
    operations: Math.min(extent.operations, scenario.mostOperations ?? Number.POSITIVE_INFINITY),
  };
  const subjects: { name: SubjectName; target: Target; prepared: Prepared; rounds: Round[] }[] = [];
  for (const name of scenario.subjects) {
    const target = targets[name];
    if (!target) continue;
    const prepared = await scenario.prepare(target, extent);
    subjects.push({ name, target, prepared, rounds: [] });
    const warmUp = { ...limit, milliseconds: limit.milliseconds / 2 };
    await prepared.beforeRound?.(warmUp.operations);
    await runLoad(target, extent.callers.at(-1) ?? 16, warmUp, prepared.operation);
  }
  for (let round = 0; round < extent.rounds; round++)
    for (const callers of extent.callers)
      for (const { target, prepared, rounds } of round % 2 === 0 ? subjects : subjects.toReversed()) {
        await prepared.beforeRound?.(limit.operations);
        rounds.push(await runLoad(target, callers, limit, prepared.operation));
      }
  return withRatios(subjects.map(({ name, rounds }) => rowOfRounds(scenario.name, name, rounds)));
}

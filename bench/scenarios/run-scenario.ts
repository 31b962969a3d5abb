import { type Round, type RoundLimit, runLoad } from '../load/run-load.ts';
import type { Target } from '../load/target.ts';
import { type Row, rowOfRounds, withRatios } from '../report.ts';
import type { Extent, Prepared, Scenario, StoreName, SubjectName } from './scenario.ts';

/** Servers that can be put under load, by name. */
export type Targets = Partial<Record<SubjectName, Target>>;

/** A subject of a scenario, set up and warm, with the rounds it has had. */
export type Contender<Name> = { name: Name; target: Target; prepared: Prepared; rounds: Round[] };

/** Measures a scenario at all its subjects, which ran on that store. */
export async function runScenario(
  scenario: Scenario,
  store: StoreName,
  targets: Targets,
  usual: Extent,
): Promise<Row[]> {
  const extent = { ...usual, callers: scenario.callers ?? usual.callers };
  const limit: RoundLimit = {
    milliseconds: extent.seconds * 1000,
    operations: Math.min(extent.operations, scenario.mostOperations ?? Number.POSITIVE_INFINITY),
  };
  const subjects: Contender<SubjectName>[] = [];
  for (const name of scenario.subjects) {
    const target = targets[name];
    if (target) subjects.push({ name, target, prepared: await scenario.prepare(target, extent), rounds: [] });
  }
  await takeTurns(subjects, extent, limit);
  return withRatios(
    subjects.map(({ name, rounds }) =>
      rowOfRounds({ scenario: scenario.name, store, subject: name }, rounds, scenario.measured),
    ),
  );
}

/** Puts each under load round by round, in turns (A B, B A, …), so that what else the machine does meets all of them; a short round before warms each up. */
export async function takeTurns(
  contenders: readonly Contender<unknown>[],
  extent: Pick<Extent, 'rounds' | 'callers'>,
  limit: RoundLimit,
): Promise<void> {
  for (const { target, prepared } of contenders) {
    const warmUp = await limitOf(prepared, { ...limit, milliseconds: limit.milliseconds / 2 });
    await runLoad(target, extent.callers.at(-1) ?? 16, warmUp, prepared.operation);
  }
  for (let round = 0; round < extent.rounds; round++)
    for (const callers of extent.callers)
      for (const { target, prepared, rounds } of round % 2 === 0 ? contenders : contenders.toReversed()) {
        rounds.push(await runLoad(target, callers, await limitOf(prepared, limit), prepared.operation));
      }
}

/** Gets what a round needs, and ends the round where that is used up. */
export async function limitOf({ beforeRound }: Prepared, limit: RoundLimit): Promise<RoundLimit> {
  return { ...limit, operations: (await beforeRound?.(limit.operations)) ?? limit.operations };
}

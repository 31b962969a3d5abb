import { type Round, type RoundLimit, runLoad } from '../load/run-load.ts';
import type { Target } from '../load/target.ts';
import { type Row, rowOfRounds, withRatios } from '../report.ts';
import type { Extent, Prepared, Scenario, StoreName, SubjectName } from './scenario.ts';

/** Servers that can be put under load, by name. */
export type Targets = Partial<Record<SubjectName, Target>>;

/** A subject of a scenario, set up and warm, with the rounds it has had. */
export type Contender<Name> = { name: Name; target: Target; prepared: Prepared; rounds: Round[] };

/** Who takes turns, and how much of what. */
export type Contest<Name> = {
  contenders: readonly Contender<Name>[];
  extent: Pick<Extent, 'callers' | 'rounds' | 'warmUpSeconds'>;
  limit: RoundLimit;
};

/** A scenario that is set up at all its subjects, which run on that store. */
export type ScenarioContest = Contest<SubjectName> & { scenario: Scenario; store: StoreName };

/** Sets a scenario up at all its subjects and warms each up. */
export async function beginScenario(
  scenario: Scenario,
  store: StoreName,
  targets: Targets,
  usual: Extent,
): Promise<ScenarioContest> {
  const extent = { ...usual, callers: scenario.callers ?? usual.callers };
  const limit: RoundLimit = {
    // What a round uses up was made for it: all of it is used.
    milliseconds: scenario.mostOperations === undefined ? extent.seconds * 1000 : Number.POSITIVE_INFINITY,
    operations: Math.min(extent.operations, scenario.mostOperations ?? Number.POSITIVE_INFINITY),
  };
  const contenders: Contender<SubjectName>[] = [];
  for (const name of scenario.subjects) {
    const target = targets[name];
    if (target) contenders.push({ name, target, prepared: await scenario.prepare(target, extent), rounds: [] });
  }
  const contest = { scenario, store, contenders, extent, limit };
  await warmUp(contest);
  return contest;
}

/** What all rounds came to. */
export function rowsOf({ scenario, store, contenders }: ScenarioContest): Row[] {
  return withRatios(
    contenders.map(({ name, rounds }) =>
      rowOfRounds({ scenario: scenario.name, store, subject: name }, rounds, scenario.measured),
    ),
  );
}

/** Puts each under load until V8 has compiled what its requests run through, which takes seconds; a server that people use has long been there. */
export async function warmUp({ contenders, extent, limit }: Contest<unknown>): Promise<void> {
  for (const { target, prepared } of contenders) {
    const own = await limitOf(prepared, { ...limit, milliseconds: extent.warmUpSeconds * 1000 });
    await runLoad(target, extent.callers.at(-1) ?? 16, own, prepared.operation);
  }
}

/** Puts each under load round by round, in turns (A B, B A, …), so that what else the machine does meets all of them. */
export async function takeTurns({ contenders, extent, limit }: Contest<unknown>): Promise<void> {
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

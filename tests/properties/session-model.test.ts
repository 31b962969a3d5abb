import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { commands } from './commands.ts';
import { checkEnd } from './invariants.ts';
import { Model } from './model.ts';
import { browserCount, World } from './world.ts';

/**
 * How many interleavings are tried: what fits into twenty seconds, at most seventy. `TESSERA_PROPERTY_RUNS` asks for so many, however long they take;
 * `TESSERA_PROPERTY_SEED`, `TESSERA_PROPERTY_PATH` and `TESSERA_PROPERTY_REPLAY` repeat a failure, whose report names them.
 */
const {
  TESSERA_PROPERTY_RUNS: runs,
  TESSERA_PROPERTY_SEED: seed,
  TESSERA_PROPERTY_PATH: path,
  TESSERA_PROPERTY_REPLAY: replayPath,
} = process.env;

describe('sessions, grants and generations under any interleaving', () => {
  let world: World;
  before(async () => {
    world = await World.open();
  });
  after(() => world.close());

  it('D1 A9 A12 A14: nobody honest is signed out, no theft goes unnoticed, and nothing outlives what it hangs on', async () => {
    const steps = fc.commands(commands, {
      maxCommands: 60,
      size: '+1',
      ...(replayPath !== undefined && { replayPath }),
    });
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (run, randomness) => {
        world.begin(randomness);
        const model = new Model(world.now, browserCount);
        await fc.asyncModelRun(() => ({ model, real: world }), run);
        await checkEnd(model, world);
      }),
      {
        numRuns: Number(runs ?? 70),
        ...(runs === undefined && { interruptAfterTimeLimit: 20_000 }),
        endOnFailure: process.env.TESSERA_PROPERTY_SHRINK === 'no',
        ...(seed !== undefined && { seed: Number(seed) }),
        ...(path !== undefined && { path }),
      },
    );
  });
});

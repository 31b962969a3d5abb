import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { commands } from './commands.ts';
import { checkEnd } from './invariants.ts';
import { Model } from './model.ts';
import { browserCount, World } from './world.ts';

/** How many interleavings are tried; `TESSERA_PROPERTY_RUNS` raises it, `TESSERA_PROPERTY_SEED` and `TESSERA_PROPERTY_PATH` repeat a failure. */
const numRuns = Number(process.env.TESSERA_PROPERTY_RUNS ?? 70);
const { TESSERA_PROPERTY_SEED: seed, TESSERA_PROPERTY_PATH: path, TESSERA_PROPERTY_REPLAY: replayPath } = process.env;

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
        numRuns,
        endOnFailure: process.env.TESSERA_PROPERTY_SHRINK === 'no',
        ...(seed !== undefined && { seed: Number(seed) }),
        ...(path !== undefined && { path }),
      },
    );
  });
});

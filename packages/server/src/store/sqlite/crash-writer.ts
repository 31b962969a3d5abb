import { writeSync } from 'node:fs';
import { sampleTime } from '../sample-records.ts';
import { openSqliteStore } from './open.ts';

// Run by crash.test.ts in a process of its own, to be killed: rotates the grants it is given, each as fast as it can, and prints
// "<grant> <generation>" for every rotation that was acknowledged. Arguments: the file, then grant ids.
const [file = '', ...grantIds] = process.argv.slice(2);
const store = await openSqliteStore({ file, checkpointBytes: 64 << 10 });
await Promise.all(grantIds.map(rotateForever));

async function rotateForever(grantId: string): Promise<never> {
  let generation = (await store.getGrant(grantId))?.generation ?? 0;
  for (;;) {
    const at = sampleTime + generation;
    const result = await store.commit(
      [
        {
          change: 'rotate-grant',
          grantId,
          expect: generation,
          sealKeyId: 'k1',
          at,
          idleAt: at + 3600,
          origin: { ip: `192.0.2.${generation % 3}`, userAgent: 'Firefox' },
        },
      ],
      [{ type: 'grant.origin_changed', at, actor: { kind: 'server' }, grantId, data: { generation: generation + 1 } }],
    );
    if (result.outcome !== 'committed') throw new Error(`grant ${grantId} is not at generation ${generation}`);
    generation += 1;
    // Synchronously, so that what was printed was acknowledged, and hardly anything acknowledged is not printed.
    writeSync(1, `${grantId} ${generation}\n`);
  }
}

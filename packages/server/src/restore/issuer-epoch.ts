import { tokensUntil } from '../sessions/tokens-until.ts';
import type { RestoreContext } from './apply-endings.ts';
import { serverActor } from './server-actor.ts';

/** The setting that holds the issuer's epoch. */
const setting = 'issuer_epoch';

/** Raises the issuer's epoch, which cuts off everything of before, and tells the edges. False when it is that high already. */
export async function raiseIssuerEpoch(context: RestoreContext, raise: (present: number) => number): Promise<boolean> {
  const { store, now } = context;
  for (;;) {
    const before = await store.get('setting', setting);
    const present = Number((before?.value as { epoch?: number } | undefined)?.epoch ?? 0);
    const epoch = raise(present);
    if (epoch <= present) return false;
    const at = now();
    const until = await tokensUntil(context, at);
    const result = await store.commit(
      [
        {
          change: 'put',
          kind: 'setting',
          expect: before?.version ?? 'absent',
          record: { name: setting, version: 0, value: { epoch } },
        },
      ],
      [{ type: 'issuer.epoch_raised', at, actor: serverActor, data: { epoch }, audiences: null, until }],
    );
    if (result.outcome === 'committed') return true;
  }
}

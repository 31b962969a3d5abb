import type { Context } from './context.ts';

const name = 'issuer';

/**
 * Makes the store remember the issuer it is served under, and warns when that was another one: meant, as after a move to a new address, or two servers on one store that do not agree, whose
 * tokens are then refused wherever the other's are accepted.
 */
export async function rememberIssuer({ config, store, log }: Pick<Context, 'config' | 'store' | 'log'>): Promise<void> {
  const { issuer } = config;
  for (;;) {
    const found = await store.get('setting', name);
    const former = (found?.value as { issuer: string } | undefined)?.issuer;
    if (former === issuer) return;
    const record = { name, version: 0, value: { issuer } };
    const { outcome } = await store.commit([
      { change: 'put', kind: 'setting', expect: found?.version ?? 'absent', record },
    ]);
    if (outcome === 'conflict') continue;
    if (former !== undefined)
      log.warn(
        { former, issuer },
        'the store was served under another issuer until now, whose tokens are refused from now on; if other servers on this store still have that one, give all of them the same issuer',
      );
    return;
  }
}

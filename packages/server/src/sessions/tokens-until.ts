import { largestAllowedSkew, type Seconds } from '@tessera/protocol';
import type { Config } from '../config/config.ts';
import { AskedTogether } from '../store/asked-together.ts';
import type { Change, Store } from '../store/store.ts';

/** The setting that remembers the highest access token lifetime ever in force: a lower one of today does not shorten tokens of yesterday. */
const setting = 'highest_access_token_lifetime';

/** What knowing the longest-lived token needs. */
export type LifetimeFacts = { config: Pick<Config, 'lifetimes'>; store: Pick<Store, 'get'> };

/**
 * From when on no access token issued up to `at` is accepted anywhere: `at`, the highest lifetime ever in force, and the largest skew an edge may allow.
 * An ending that is told to the edges matters until then.
 */
export async function tokensUntil(context: LifetimeFacts, at: Seconds): Promise<Seconds> {
  const seconds = await askTogether(context.store);
  return at + Math.max(seconds, context.config.lifetimes.accessToken) + largestAllowedSkew;
}

/**
 * The change that makes the store remember an access token lifetime, to be committed together with what brings it into force (the server's own: at its start);
 * none when as high a one was in force before. Two at once: one conflicts, reads again.
 */
export async function rememberLifetime(
  context: Pick<LifetimeFacts, 'store'>,
  lifetime: Seconds | undefined,
): Promise<Change[]> {
  const { seconds, version } = await readRemembered(context);
  if (lifetime === undefined || lifetime <= seconds) return [];
  return [
    {
      change: 'put',
      kind: 'setting',
      expect: version ?? 'absent',
      record: { name: setting, version: 0, value: { seconds: lifetime } },
    },
  ];
}

/** Makes the store remember an access token lifetime, whoever does the same meanwhile. */
export async function keepLifetime(
  { store }: { store: Pick<Store, 'get' | 'commit'> },
  lifetime: Seconds,
): Promise<void> {
  for (;;) {
    const changes = await rememberLifetime({ store }, lifetime);
    if (changes.length === 0 || (await store.commit(changes)).outcome === 'committed') return;
  }
}

const readings = new WeakMap<Pick<Store, 'get'>, AskedTogether<undefined, Seconds>>();

/** The highest lifetime of before; all who ask in one turn of the loop are answered by one reading, which begins after they asked. */
function askTogether(store: Pick<Store, 'get'>): Promise<Seconds> {
  let reading = readings.get(store);
  if (reading === undefined) {
    reading = new AskedTogether(async (askers) => {
      const { seconds } = await readRemembered({ store });
      return askers.map(() => seconds);
    });
    readings.set(store, reading);
  }
  return reading.ask(undefined);
}

async function readRemembered({
  store,
}: Pick<LifetimeFacts, 'store'>): Promise<{ seconds: Seconds; version?: number }> {
  const record = await store.get('setting', setting);
  if (!record) return { seconds: 0 };
  return { seconds: (record.value as { seconds: Seconds }).seconds, version: record.version };
}

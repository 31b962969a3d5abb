import { isDeepStrictEqual } from 'node:util';
import { systemRandom } from '../../packages/server/src/secrets/random.ts';
import { readRootKeys } from '../../packages/server/src/secrets/root-key-file.ts';
import { openStore, storeFile } from '../../packages/server/src/store/open-store.ts';
import { sealRefreshToken } from '../../packages/server/src/tokens/refresh-token.ts';
import { tellProgress } from '../progress.ts';
import { fillPostgres } from './fill-postgres.ts';
import { fillSqlite } from './fill-sqlite.ts';
import { copiesOf } from './filler.ts';
import { type Model, makeModel, type Place } from './model.ts';
import { makePerson, type Person } from './people.ts';

/** A store full of people who are signed in. `refreshTokens`: of some of them, spread evenly. */
export type Population = { place: Place; sessions: number; refreshTokens: string[] };

// How many people one transaction brings, and how often progress is told.
const together = 5000;
const tellEvery = 500_000;
/** Over how long a time the sign-ins are spread, in milliseconds: what the time-ordered ids say. */
const spreadMs = 7 * 86_400_000;

/**
 * Makes a store in which so many people are signed in, one session and one grant each: a real person signs in over HTTP, and the others' rows are copies of theirs. Whether
 * the store reads the copies as it reads the real one is checked.
 */
export async function populate(place: Place, sessions: number, tokens: number): Promise<Population> {
  const model = await makeModel(place);
  const rootKeys = await readRootKeys({ env: {}, dataFolder: place.folder, random: systemRandom });
  const filler = place.store === undefined ? fillSqlite(storeFile(place.folder)) : await fillPostgres(place.store);
  const refreshTokens: string[] = [];
  const samples: Person[] = [];
  try {
    const startMs = Date.now() - spreadMs;
    const tokenEvery = sessions / Math.min(tokens, sessions);
    for (let done = 0; done < sessions; ) {
      const count = Math.min(together, sessions - done);
      const people = Array.from({ length: count }, (_, index) =>
        makePerson(startMs + ((done + index) / sessions) * spreadMs),
      );
      await filler.write(copiesOf(filler, model, people, firstNumber + done));
      // Where writing never waits, signals would not be heard.
      await new Promise((resolve) => setImmediate(resolve));
      samples.push(people[0] as Person);
      for (const [index, { grantId, grantSecret }] of people.entries()) {
        if (done + index < refreshTokens.length * tokenEvery) continue;
        const { generation, sealKeyId: keyId } = model.grant;
        refreshTokens.push(sealRefreshToken(rootKeys, { keyId, grantId, generation, secret: grantSecret }) as string);
      }
      done += count;
      if (done % tellEvery === 0) tellProgress(`  ${done} of ${sessions} sessions`);
    }
    await filler.finish();
  } finally {
    await filler.close();
  }
  await assertLikeModel(place, model, samples.slice(-100));
  return { place, sessions, refreshTokens };
}

// Far above the number of any real row of the model's store.
const firstNumber = 1000;

/** Throws unless the store reads these people as it reads the model, but for what tells them apart. */
async function assertLikeModel(place: Place, model: Model, people: readonly Person[]): Promise<void> {
  const store = await openStore({ data: place.folder, ...(place.store && { store: place.store }) }, () => undefined);
  try {
    for (const { userId, username, email, sid, cookieDigest, grantId, secretDigest } of people) {
      const same = { userId, sid };
      assertEqual(await store.findUser(email), { ...model.user, userId, username, email });
      assertEqual((await store.getSignIn({ cookieDigest })).session, { ...model.session, ...same, cookieDigest });
      assertEqual(await store.getGrant(grantId), { ...model.grant, ...same, grantId, secretDigest });
      assertEqual((await store.listGrants({ sid, now: model.grant.createdAt }, { limit: 2 })).items.length, 1);
    }
  } finally {
    await store.close();
  }
}

function assertEqual(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected))
    throw new Error(`a copied row reads ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
}

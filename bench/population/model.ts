import { openStore } from '../../packages/server/src/store/open-store.ts';
import type { GrantRecord, SessionRecord, UserRecord } from '../../packages/server/src/store/records.ts';
import { freePort } from '../../tests/free-port.ts';
import { declared } from '../declared.ts';
import { codeFlow, signInForCookie } from '../load/code-flow.ts';
import { Caller, describeTarget } from '../load/target.ts';
import { startSubject } from '../subjects/start-subject.ts';

/** Where a server of ours keeps what it keeps: its folder and, on Postgres, its database. */
export type Place = { folder: string; store?: string };

/** Somebody who signed in with a password and whose app got tokens for the orders: what the others of a population are made after. */
export type Model = { user: UserRecord; session: SessionRecord; grant: GrantRecord };

/** Lets a real person sign in at a real server, over HTTP, and reads what that left in the store. The server is stopped afterwards. */
export async function makeModel(place: Place): Promise<Model> {
  const subject = await startSubject('tessera.ts', { port: await freePort(), sessions: 0, ...place });
  try {
    const caller = new Caller(await describeTarget(subject.issuer, { pids: [], cookies: [], usernames: [] }), 0);
    const cookie = await signInForCookie(caller, declared.user.username, declared.user.password);
    if (!(await codeFlow(caller, cookie, declared.orders))) throw new Error('the model got no tokens');
    caller.close();
  } finally {
    await subject.stop();
  }
  return readModel(place);
}

async function readModel(place: Place): Promise<Model> {
  const store = await openStore({ data: place.folder, ...(place.store && { store: place.store }) }, () => undefined);
  try {
    const now = Math.floor(Date.now() / 1000);
    const user = await store.findUser(declared.user.username);
    const session = user && (await store.listSessions({ userId: user.userId, now }, { limit: 1 })).items[0];
    const grant = session && (await store.listGrants({ sid: session.sid, now }, { limit: 1 })).items[0];
    if (!user || !session || !grant) throw new Error('the model left no user, session and grant in the store');
    return { user, session, grant };
  } finally {
    await store.close();
  }
}

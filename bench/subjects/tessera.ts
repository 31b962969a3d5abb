import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createServer, readConfig, type TesseraServer } from '@tessera/server';
import { randomSecret, systemRandom, timeOrderedId } from '../../packages/server/src/secrets/random.ts';
import { signedIn } from '../../packages/server/src/sessions/session.ts';
import type { Change } from '../../packages/server/src/store/store.ts';
import { declared } from '../declared.ts';
import { runSubject, type SubjectOptions, type SubjectReady } from './subject-program.ts';

// The server under load: as `tessera serve` runs it, on a folder on disk. Sessions are put into its store before it listens, as a sign-in would leave them, because
// thousands of sign-ins take minutes of password hashing; grants and tokens come through the real flows.
let server: TesseraServer | undefined;
runSubject(start, async () => server?.close());

async function start({ port, folder, sessions, store }: SubjectOptions): Promise<SubjectReady> {
  const issuer = `http://localhost:${port}`;
  const config = await readConfig({
    file: join(import.meta.dirname, '..', 'tessera-bench.yaml'),
    env: {},
    overrides: { issuer, port, host: '127.0.0.1', data: folder, ...(store !== undefined && { store }) },
  });
  server = await createServer({ config });
  const prepared = await prepareSessions(server, sessions);
  await server.listen();
  return { issuer, ...prepared };
}

async function prepareSessions(
  { context }: TesseraServer,
  count: number,
): Promise<{ cookies: string[]; usernames: string[] }> {
  const { store, config } = context;
  const model = await store.findUser(declared.user.username);
  if (!model) throw new Error('the user of tessera-bench.yaml is missing');
  const now = context.now();
  const cookies: string[] = [];
  const usernames: string[] = [];
  let changes: Change[] = [];
  for (let index = 0; index < count; index++) {
    const userId = timeOrderedId(context.nowMs(), systemRandom);
    const username = `bench-${userId.toLowerCase()}-${index}`;
    const secret = randomSecret(systemRandom);
    const fields = signedIn(
      config,
      {
        amr: ['pwd'],
        acr: 'urn:tessera:acr:password',
        cookieDigest: createHash('sha256').update(secret).digest('base64url'),
        origin: { ip: '127.0.0.1', userAgent: 'Mozilla/5.0' },
        remembered: true,
      },
      now,
    );
    const sid = timeOrderedId(context.nowMs(), systemRandom);
    changes.push(
      {
        change: 'put',
        kind: 'user',
        expect: 'absent',
        record: { ...model, userId, username, email: `${username}@example.com` },
      },
      {
        change: 'create-session',
        session: { sid, version: 0, userId, createdAt: now, endedAt: null, endReason: null, ...fields },
      },
    );
    cookies.push(`${context.cookies.name('tessera_session')}=${secret}`);
    usernames.push(username);
    if (changes.length >= 500 || index === count - 1) {
      if ((await store.commit(changes)).outcome !== 'committed') throw new Error('the sessions could not be prepared');
      changes = [];
    }
  }
  return { cookies, usernames };
}

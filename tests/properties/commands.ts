import assert from 'node:assert/strict';
import { decodeJwt } from '@tessera/protocol';
import fc from 'fast-check';
import { endGrant } from '../../packages/server/src/admin/grants.ts';
import { endSession } from '../../packages/server/src/admin/sessions.ts';
import { ordersApi, pkce } from '../test-server.ts';
import { checkInvariants } from './invariants.ts';
import { type ClientTraits, type Code, clients, type Grant, limits, type Model, type Session } from './model.ts';
import { browserCount, issuer, password, redirectUri, users, type World } from './world.ts';

type Command = fc.AsyncCommand<Model, World>;

/** One step: what it needs, what it does and expects; the invariants are checked after each. */
function command(
  name: string,
  check: (model: Model) => boolean,
  run: (model: Model, world: World) => Promise<void>,
): Command {
  return {
    check,
    run: async (model, world) => {
      await run(model, world);
      await checkInvariants(model, world);
    },
    toString: () => name,
  };
}

function pick<T>(list: readonly T[], index: number): T {
  return list[index % list.length] as T;
}

/** The newest ones most: what just happened is what races. */
function pickLate<T>(list: readonly T[], back: number): T {
  return list[list.length - 1 - (back % list.length)] as T;
}

const admin = { kind: 'admin', clientId: 'operator' } as const;

type Visit = { browser: number; user: string; client: ClientTraits; offline: boolean; fresh: boolean };
const visit: fc.Arbitrary<Visit> = fc.record({
  browser: fc.nat(browserCount - 1),
  user: fc.constantFrom(...users),
  client: fc.constantFrom(...clients),
  offline: fc.boolean(),
  fresh: fc.boolean(),
});

function describeVisit({ browser, user, client, offline, fresh }: Visit): string {
  return `browser ${browser}, ${user}, ${client.name}${offline ? ', offline' : ''}${fresh ? ', fresh' : ''}`;
}

/** Gets a code, and leaves it for later. */
const authorize = visit.map((visit) =>
  command(
    `authorize(${describeVisit(visit)})`,
    () => true,
    async (model, world) => {
      await getCode(model, world, visit);
    },
  ),
);

/** Gets a code and redeems it. */
const signIn = visit.map((visit) =>
  command(
    `signIn(${describeVisit(visit)})`,
    () => true,
    async (model, world) => redeemCode(model, world, await getCode(model, world, visit)),
  ),
);

/** An authorization request: the password is asked for, or not where the cookie still skips it; `fresh` asks for it again. */
async function getCode(model: Model, world: World, { browser, user, client, offline, fresh }: Visit): Promise<Code> {
  const before = model.inBrowser[browser];
  const { verifier, challenge } = pkce();
  const kind = offline && client.offline ? 'offline' : 'session';
  const cookieBefore = world.sessionCookie(browser);
  const callback = await pick(world.browsers, browser).authorize(
    {
      client_id: client.name,
      redirect_uri: redirectUri(client),
      scope: `openid orders:read${offline ? ' offline_access' : ''}`,
      resource: ordersApi,
      code_challenge: challenge,
      ...((fresh || before?.user !== user) && { prompt: 'login' }),
    },
    { username: user, password },
  );
  const text = callback.searchParams.get('code');
  assert.ok(text, `no code came back: ${callback}`);
  const sid = await world.sidOf(browser);
  assert.ok(sid);
  const session = noteSession(model, browser, user, sid, world.sessionCookie(browser) !== cookieBefore);
  await assertReplaced(model, world, before, session);
  const code: Code = { text, verifier, client, session, kind, issuedAt: model.now, grant: undefined };
  model.codes.push(code);
  return code;
}

function noteSession(model: Model, browser: number, user: string, sid: string, signedIn: boolean): Session {
  const known = model.sessions.get(sid);
  if (known) {
    assert.ok(model.isSessionLive(known), 'a dead session came back to life');
    assert.equal(known, model.inBrowser[browser], 'a browser got the session of another');
    assert.equal(known.user, user);
  } else assert.ok(signedIn, 'a session began without a sign-in');
  const session = known ?? { sid, user, endsAt: 0, ended: false };
  if (signedIn) session.endsAt = model.now + limits.session;
  model.sessions.set(sid, session);
  model.inBrowser[browser] = session;
  return session;
}

/** What became of the session the browser had before: another user's ends, the same user's is renewed, unless it had lapsed. */
async function assertReplaced(model: Model, world: World, before: Session | undefined, now: Session): Promise<void> {
  if (!before || before === now || !model.isSessionLive(before)) return;
  if (before.user === now.user) {
    const record = await world.server.context.store.getSession(before.sid);
    assert.equal(record?.endReason, 'idle', 'the same user in the same browser got a second session');
    assert.ok(
      !model.grants.some((grant) => grant.session === before && grant.kind === 'session' && model.isLive(grant)),
    );
  }
  model.endSession(before, false);
}

const redeem = fc
  .record({
    code: fc.nat(20),
    by: fc.constantFrom(
      'client' as const,
      'client' as const,
      'client' as const,
      'stranger' as const,
      'wrong verifier' as const,
    ),
  })
  .map(({ code: index, by }) =>
    command(
      `redeem(code ${index} back, by ${by})`,
      (model) => model.codes.length > 0,
      async (model, world) => {
        const code = pickLate(model.codes, index);
        if (by === 'client') return redeemCode(model, world, code);
        const client = by === 'stranger' ? pick(clients, clients.indexOf(code.client) + 1) : code.client;
        const verifier = by === 'stranger' ? code.verifier : pkce().verifier;
        // Neither burns the code nor ends anything: the model stays as it is.
        assertRefused(await world.tokenRequest(client, codeForm(code, verifier), false));
      },
    ),
  );

async function redeemCode(model: Model, world: World, code: Code): Promise<void> {
  const answer = await world.tokenRequest(code.client, codeForm(code, code.verifier), false);
  const { grant } = code;
  if (grant) {
    assertRefused(answer);
    if (model.now - grant.createdAt <= limits.raceWindow || grant.ended) return;
    // A lapsed grant may or may not have been ended by the server meanwhile; an ended one has nothing more to end.
    grant.codeReuses = model.isLive(grant) ? 1 : 'perhaps';
    grant.ended = true;
    return;
  }
  if (model.now >= code.issuedAt + limits.code || !model.isSessionLive(code.session)) return assertRefused(answer);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  code.grant = newGrant(model, code, answer.body);
  noteAccessToken(model, code.grant, answer.body);
  model.grants.push(code.grant);
}

function codeForm(code: Code, verifier: string): Record<string, string> {
  return {
    grant_type: 'authorization_code',
    code: code.text,
    redirect_uri: redirectUri(code.client),
    code_verifier: verifier,
  };
}

function newGrant(model: Model, code: Code, body: Record<string, unknown>): Grant {
  const claims = decodeJwt(String(body.access_token))?.payload;
  assert.equal(claims?.sid, code.kind === 'session' ? code.session.sid : undefined);
  return {
    id: String(claims?.grant_id),
    client: code.client,
    session: code.session,
    kind: code.kind,
    createdAt: model.now,
    tokens: ['', String(body.refresh_token)],
    generation: 1,
    held: 1,
    rotatedAt: model.now,
    ...model.birth(code),
    ended: false,
    accessTokens: [],
    reuses: 0,
    codeReuses: 0,
  };
}

/** Nothing outlives what it hangs on: the very second at which the token expires is known. */
function noteAccessToken(model: Model, grant: Grant, body: Record<string, unknown>): void {
  const text = String(body.access_token);
  const exp = decodeJwt(text)?.payload.exp;
  assert.equal(exp, model.accessTokenExpiry(grant));
  assert.equal(body.expires_in, Number(exp) - model.now);
  if (grant.kind === 'session') assert.ok(Number(exp) <= grant.session.endsAt);
  grant.accessTokens.push({ text, exp: Number(exp) });
}

function assertRefused(answer: { status: number; body: Record<string, unknown> }): void {
  assert.equal(answer.status, 400, JSON.stringify(answer.body));
  assert.equal(answer.body.error, 'invalid_grant', JSON.stringify(answer.body));
}

/** The honest client refreshes with what it holds; `lost`: the answer never reaches it, so it will come again with the same token. */
const refresh = fc
  .record({ grant: fc.nat(6), lost: fc.boolean(), answersNonce: fc.boolean() })
  .map(({ grant: index, lost, answersNonce }) =>
    command(
      `refresh(grant ${index} back${lost ? ', answer lost' : ''}${answersNonce ? ', nonce' : ''})`,
      (model) => model.grants.length > 0,
      async (model, world) => {
        const grant = pickLate(model.grants, index);
        const isInTime =
          model.isLive(grant) &&
          grant.held >= grant.generation - 1 &&
          model.now - grant.rotatedAt <= grant.client.window &&
          grant.client.window > 0;
        const got = await present(model, world, grant, grant.held, answersNonce);
        if (isInTime) assert.ok(got, 'D1: an answer lost inside the window cost a sign-in');
        if (got && !lost) grant.held = grant.generation;
      },
    ),
  );

/** Somebody presents any generation there ever was: a slow tab, a restored phone, a thief. */
const replayOld = fc
  .record({ grant: fc.nat(6), back: fc.nat(4), answersNonce: fc.boolean() })
  .map(({ grant: index, back, answersNonce }) =>
    command(
      `present(grant ${index} back, ${back} generations behind${answersNonce ? ', nonce' : ''})`,
      (model) => model.grants.length > 0,
      async (model, world) => {
        const grant = pickLate(model.grants, index);
        await present(model, world, grant, Math.max(1, grant.generation - back), answersNonce);
      },
    ),
  );

/** Presents a token and checks the answer against the table; true when tokens came back. */
async function present(
  model: Model,
  world: World,
  grant: Grant,
  generation: number,
  answersNonce: boolean,
): Promise<boolean> {
  const token = grant.tokens[generation] as string;
  const expected = model.judge(grant, generation, answersNonce);
  const answer = await world.refresh(grant.client, token, answersNonce);
  switch (expected) {
    case 'refused':
      assertRefused(answer);
      return false;
    case 'prove':
      assert.deepEqual([answer.status, answer.body.error], [400, 'use_dpop_nonce']);
      assert.ok(answer.nonce);
      return false;
    case 'reuse':
      assertRefused(answer);
      grant.ended = true;
      grant.reuses++;
      return false;
    default:
      assert.equal(answer.status, 200, `${expected} expected: ${JSON.stringify(answer.body)}`);
      if (expected !== 'replay') model.use(grant, expected);
      noteRefreshToken(grant, answer.body);
      noteAccessToken(model, grant, answer.body);
      return true;
  }
}

/** The first time a generation is seen its text is noted; ever after it must be the same text. */
function noteRefreshToken(grant: Grant, body: Record<string, unknown>): void {
  grant.tokens[grant.generation] ??= String(body.refresh_token);
  assert.equal(body.refresh_token, grant.tokens[grant.generation], 'a replay returned another successor');
  assert.equal(new Set(grant.tokens).size, grant.tokens.length);
}

/** D1: several tabs present the live token at once: one rotation, and all get the same successor. */
const refreshInParallel = fc
  .record({ grant: fc.nat(6), tabs: fc.integer({ min: 2, max: 6 }) })
  .map(({ grant: index, tabs }) =>
    command(
      `refreshInParallel(grant ${index} back, ${tabs} tabs)`,
      (model) => model.grants.length > 0 && pickLate(model.grants, index).client.window > 0,
      async (model, world) => {
        const grant = pickLate(model.grants, index);
        const expected = model.judge(grant, grant.generation, false);
        const token = grant.tokens[grant.generation] as string;
        const answers = await Promise.all(Array.from({ length: tabs }, () => world.refresh(grant.client, token)));
        if (expected === 'refused') return answers.forEach(assertRefused);
        model.use(grant, expected as 'rotate' | 'reissue');
        for (const answer of answers) {
          assert.equal(answer.status, 200, JSON.stringify(answer.body));
          noteRefreshToken(grant, answer.body);
          noteAccessToken(model, grant, answer.body);
        }
        grant.held = grant.generation;
      },
    ),
  );

/** Another client, or the wrong key, tries what it has stolen. Nothing may end by it. */
const foreigner = fc
  .record({
    grant: fc.nat(6),
    back: fc.nat(3),
    other: fc.nat(3),
    way: fc.constantFrom('refresh' as const, 'revoke' as const, 'introspect' as const, 'wrong key' as const),
  })
  .map(({ grant: index, back, other, way }) =>
    command(
      `foreigner(grant ${index} back, ${back} generations behind, ${way})`,
      (model) => model.grants.length > 0,
      async (model, world) => {
        const grant = pickLate(model.grants, index);
        const token = grant.tokens[Math.max(1, grant.generation - back)] as string;
        const stranger = pick(
          clients.filter((one) => one !== grant.client),
          other,
        );
        if (grant.client.isKeyed && (way === 'wrong key' || (way === 'refresh' && other > 1)))
          return assertRefused(await world.refresh(grant.client, token, true, world.otherKey));
        if (way === 'introspect')
          return assert.equal(await world.isActive(stranger.isPublic ? 'orders-api' : stranger.name, token), false);
        if (way !== 'revoke') return assertRefused(await world.refresh(stranger, token, true));
        const answer = await world.revoke(stranger, token);
        assert.deepEqual([answer.status, answer.body.error], [400, 'unauthorized_client']);
      },
    ),
  );

/**
 * A token with a broken seal is worth nothing and ends nothing, whatever it is used for; nor is one that is sealed rightly, with a leaked key, around a secret
 * that is not the grant's.
 */
const forger = fc
  .record({
    grant: fc.nat(6),
    back: fc.nat(3),
    byte: fc.nat(71),
    bit: fc.nat(7),
    hasKey: fc.boolean(),
    way: fc.constantFrom('refresh' as const, 'revoke' as const),
  })
  .map(({ grant: index, back, byte, bit, hasKey, way }) =>
    command(
      `forger(grant ${index} back, ${back} generations behind, ${hasKey ? 'with the key' : `bit ${bit} of byte ${byte}`}, ${way})`,
      (model) => model.grants.length > 0,
      async (model, world) => {
        const grant = pickLate(model.grants, index);
        const token = grant.tokens[Math.max(1, grant.generation - back)] as string;
        const forged = hasKey ? world.forgeWithKey(token) : flipBit(token, byte, bit);
        if (way === 'refresh') return assertRefused(await world.refresh(grant.client, forged, true));
        assert.equal((await world.revoke(grant.client, forged)).status, 200);
      },
    ),
  );

function flipBit(token: string, byte: number, bit: number): string {
  const bytes = Buffer.from(token.slice(4), 'base64url');
  bytes[byte] = (bytes[byte] as number) ^ (1 << bit);
  return `tsr_${bytes.toString('base64url')}`;
}

/** Its own client revokes by any generation there ever was. */
const revoke = fc.record({ grant: fc.nat(6), back: fc.nat(4) }).map(({ grant: index, back }) =>
  command(
    `revoke(grant ${index} back, ${back} generations behind)`,
    (model) => model.grants.length > 0,
    async (model, world) => {
      const grant = pickLate(model.grants, index);
      assert.equal(
        (await world.revoke(grant.client, grant.tokens[Math.max(1, grant.generation - back)] as string)).status,
        200,
      );
      grant.ended = true;
    },
  ),
);

const signOut = fc.nat(browserCount - 1).map((index) =>
  command(
    `signOut(browser ${index})`,
    (model) => model.inBrowser[index] !== undefined,
    async (model, world) => {
      const browser = pick(world.browsers, index);
      const page = await browser.go(`${issuer}/end-session`);
      if (page.forms.length > 0 && page.url.includes('/sign-out')) await browser.submit(page, { decision: 'sign-out' });
      const session = model.inBrowser[index];
      if (session) model.endSession(session, false);
      model.inBrowser[index] = undefined;
      assert.equal(await world.sidOf(index), undefined);
    },
  ),
);

const signOutEverywhere = fc.nat(browserCount - 1).map((index) =>
  command(
    `signOutEverywhere(browser ${index})`,
    (model) => model.inBrowser[index] !== undefined,
    async (model, world) => {
      const browser = pick(world.browsers, index);
      const page = await browser.go(`${issuer}/account`);
      // The cookie may have lapsed: then the page asks for the password, and nothing is signed out.
      if (new URL(page.url).pathname !== '/account') return;
      const form = page.forms.findIndex(({ html }) => html.includes('sign-out-everywhere'));
      await browser.submit(page, { decision: 'sign-out-everywhere' }, form);
      const user = model.inBrowser[index]?.user;
      assert.ok(user);
      model.endUser(user);
      model.inBrowser[index] = undefined;
    },
  ),
);

const endByAdmin = fc
  .record({ grant: fc.nat(6), what: fc.constantFrom('grant' as const, 'session' as const) })
  .map(({ grant: index, what }) =>
    command(
      `endByAdmin(${what} of grant ${index} back)`,
      (model) => model.grants.length > 0,
      async (model, world) => {
        const grant = pickLate(model.grants, index);
        const outcome =
          what === 'grant'
            ? await endGrant(world.server.context, admin, grant.id)
            : await endSession(world.server.context, admin, grant.session.sid);
        assert.equal(outcome.kind, 'done');
        if (what === 'grant') grant.ended = true;
        else model.endSession(grant.session, true);
      },
    ),
  );

/** Time passes, often to the very edges; with `sweep`, what has lapsed is ended now and not within two seconds. */
const lapse = fc
  .record({
    seconds: fc.constantFrom(1, 1, 4, 5, 6, 9, 10, 11, 29, 30, 31, 60, 119, 120, 121, 200, 300),
    sweep: fc.boolean(),
  })
  .map(({ seconds, sweep }) =>
    command(
      `lapse(${seconds} s${sweep ? ', ended by the server' : ''})`,
      () => true,
      async (model, world) => {
        world.advance(seconds);
        model.now += seconds;
        if (sweep) await world.server.endLapsed();
      },
    ),
  );

/** To the very second at which a window or a limit ends, or to one of its neighbours; with `use`, the live token is presented right then. */
const lapseToEdge = fc
  .record({
    grant: fc.nat(6),
    edge: fc.constantFrom('window', 'idle', 'end', 'access token', 'code'),
    by: fc.constantFrom(-1, 0, 1),
    use: fc.boolean(),
  })
  .map(({ grant: index, edge, by, use }) =>
    command(
      `lapseToEdge(${edge} of grant ${index} back, ${by}${use ? ', and use it' : ''})`,
      (model) => model.grants.length > 0 && edgeOf(model, index, edge) + by > model.now,
      async (model, world) => {
        const seconds = edgeOf(model, index, edge) + by - model.now;
        world.advance(seconds);
        model.now += seconds;
        const grant = pickLate(model.grants, index);
        if (use) await present(model, world, grant, grant.generation, false);
      },
    ),
  );

/** The answer to a rotation, or to two, is lost; the client comes again with its old token about when the window ends. */
const retryAtEdge = fc
  .record({
    grant: fc.nat(6),
    lost: fc.integer({ min: 1, max: 2 }),
    by: fc.constantFrom(-1, 0, 1),
    answersNonce: fc.boolean(),
  })
  .map(({ grant: index, lost, by, answersNonce }) =>
    command(
      `retryAtEdge(grant ${index} back, ${lost} lost, window ${by < 0 ? by : `+${by}`} s${answersNonce ? ', nonce' : ''})`,
      (model) => model.grants.length > 0 && pickLate(model.grants, index).client.window + by >= 0,
      async (model, world) => {
        const grant = pickLate(model.grants, index);
        const old = grant.generation;
        for (let time = 0; time < lost; time++)
          if (!(await present(model, world, grant, grant.generation, false))) return;
        world.advance(grant.client.window + by);
        model.now += grant.client.window + by;
        await present(model, world, grant, old, answersNonce);
      },
    ),
  );

function edgeOf(model: Model, index: number, edge: string): number {
  const grant = pickLate(model.grants, index);
  if (edge === 'window') return grant.rotatedAt + grant.client.window;
  if (edge === 'code') return grant.createdAt + limits.raceWindow;
  if (edge === 'access token') return grant.accessTokens.at(-1)?.exp ?? 0;
  return edge === 'idle' ? (grant.idleAt ?? 0) : grant.endsAt;
}

const clockJumpsBack = fc.constantFrom(1, 2).map((back) =>
  command(
    `clockJumpsBack(${back} s)`,
    (model) => !model.crosses(back),
    async (model, world) => {
      world.advance(-back);
      model.now -= back;
    },
  ),
);

/** A restart, often under another root key; whoever lost an answer just before comes again right after it. */
const restart = fc.record({ rotate: fc.boolean(), retry: fc.boolean() }).map(({ rotate, retry }) =>
  command(
    `restart(${rotate ? 'with another root key' : 'as it was'}${retry ? ', then retries' : ''})`,
    () => true,
    async (model, world) => {
      await world.restart(rotate);
      for (const grant of retry ? model.grants : [])
        if (grant.generation > 1 && model.judge(grant, grant.generation - 1, true) === 'replay')
          await present(model, world, grant, grant.generation - 1, true);
    },
  ),
);

/** All that can happen, and how often. */
const weights: [fc.Arbitrary<Command>, number][] = [
  [signIn, 12],
  [authorize, 2],
  [redeem, 6],
  [refresh, 16],
  [replayOld, 10],
  [refreshInParallel, 4],
  [foreigner, 6],
  [forger, 4],
  [revoke, 2],
  [signOut, 2],
  [signOutEverywhere, 1],
  [endByAdmin, 2],
  [lapse, 8],
  [lapseToEdge, 6],
  [retryAtEdge, 5],
  [clockJumpsBack, 3],
  [restart, 2],
];

export const commands: fc.Arbitrary<Command>[] = weights.flatMap(([arbitrary, weight]) =>
  Array(weight).fill(arbitrary),
);

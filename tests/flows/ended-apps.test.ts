import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createClient, cutOffClient, removeClient, updateClient } from '../../packages/server/src/admin/clients.ts';
import { createResourceServer, updateResourceServer } from '../../packages/server/src/admin/resource-servers.ts';
import {
  basic,
  claimsOf,
  introspect,
  obtainCode,
  ordersApi,
  redeemCode,
  signInTokens,
  startTestServer,
  type TestServer,
} from '../test-server.ts';

const actor = { kind: 'cli' } as const;

/** What an application still holds when it was disabled or removed must be worth nothing, for it may have been disabled because of what it does. */
describe('an app that was disabled or removed', () => {
  const home = 'https://shady.example.com/';
  const callback = 'https://shady.example.com/callback';
  let test: TestServer;
  beforeEach(async () => {
    test = await startTestServer();
  });
  afterEach(() => test.close());

  async function shadyApp() {
    const made = await createClient(test.server.context, actor, {
      client_name: 'Shady',
      redirect_uris: [callback],
      post_logout_redirect_uris: [home],
      scope: 'openid',
      consent: 'skip',
    });
    assert.ok(made.kind === 'done');
    return made.value.client_id;
  }
  const ways = {
    disabled: (clientId: string) => updateClient(test.server.context, actor, { clientId, changes: { disabled: true } }),
    removed: (clientId: string) => removeClient(test.server.context, actor, { clientId }),
  };

  for (const [how, end] of Object.entries(ways))
    it(`A17 RP-Initiated Logout 2: ${how}, it can neither sign people out with an ID token it kept nor have them sent to it`, async () => {
      const clientId = await shadyApp();
      const browser = test.browser();
      const obtained = await obtainCode(test, {
        browser,
        client_id: clientId,
        redirect_uri: callback,
        parameters: { scope: 'openid' },
      });
      const { body } = await redeemCode(test, obtained);
      const others = await signInTokens(test, { browser });
      assert.equal((await end(clientId)).kind, 'done');
      const hint = { id_token_hint: String(body.id_token) };
      for (const from of [browser, test.browser()])
        for (const parameters of [hint, { ...hint, post_logout_redirect_uri: home }] as Record<string, string>[]) {
          const page = await from.go(`${test.issuer}/end-session?${new URLSearchParams(parameters)}`);
          assert.ok(page.url.startsWith(test.issuer), page.url);
          assert.equal((await introspect(test, others.access_token)).active, true);
        }
      const asked = await browser.go(
        `${test.issuer}/end-session?${new URLSearchParams({ client_id: clientId, post_logout_redirect_uri: home })}`,
      );
      assert.equal(asked.status, 400);
      const asking = await browser.go(`${test.issuer}/end-session?${new URLSearchParams(hint)}`);
      await browser.submit(asking, { decision: 'sign-out' });
      assert.equal((await introspect(test, others.access_token)).active, false, 'who wants to sign out still can');
    });

  it('A17 disabled while the sign-out page is open, it is not where one is sent', async () => {
    const clientId = await shadyApp();
    const browser = test.browser();
    const tokens = await signInTokens(test, { browser });
    const asking = await browser.go(
      `${test.issuer}/end-session?${new URLSearchParams({ client_id: clientId, post_logout_redirect_uri: home })}`,
    );
    await ways.disabled(clientId);
    const out = await browser.submit(asking, { decision: 'sign-out' });
    assert.ok(out.url.startsWith(test.issuer), out.url);
    assert.equal((await introspect(test, tokens.access_token)).active, false);
  });
});

describe('a reader of the revocation feed', () => {
  it('A13 is told no more when it ceased to act for the API while its poll was held', async () => {
    const test = await startTestServer();
    try {
      const { context } = test.server;
      const made = await createClient(context, actor, {
        client_name: 'Reader',
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['client_credentials'],
      });
      assert.ok(made.kind === 'done');
      const { client_id, client_secret } = made.value;
      const notes = 'https://api.example.com/notes';
      await createResourceServer(context, actor, {
        id: 'notes',
        audiences: [notes],
        scopes: { 'notes:read': {} },
        clients: [client_id],
      });
      const poll = async (body: object, wait: number) => {
        const response = await test.server.fetch(
          new Request(`${test.issuer}/events/poll`, {
            method: 'POST',
            body: JSON.stringify(body),
            headers: {
              ...basic(client_id, client_secret),
              'content-type': 'application/json',
              prefer: `wait=${wait}`,
            },
          }),
        );
        return (await response.json()) as { sets: Record<string, string>; mark: string };
      };
      const endGrantAt = async (resource: string) => {
        const { body } = await redeemCode(test, await obtainCode(test, { parameters: { resource, scope: 'openid' } }));
        await test.post('/revoke', { token: String(body.refresh_token), client_id: 'spa' });
      };
      const first = await poll({}, 0);
      const place = claimsOf(first.mark).jti;
      const served = poll({ ack: [place] }, 20);
      await endGrantAt(ordersApi);
      await endGrantAt(notes);
      assert.equal(Object.keys((await served).sets).length, 1, 'what concerns the API it acts for');

      const after = claimsOf((await served).mark).jti;
      const held = poll({ ack: [after] }, 20);
      await updateResourceServer(context, actor, { id: 'notes', changes: { clients: [] } });
      await endGrantAt(notes);
      await cutOffClient(context, actor, { clientId: 'machine' });
      const { sets } = await held;
      const told = Object.values(sets).flatMap((set) => Object.keys(Object(claimsOf(set).events)));
      assert.deepEqual(told, ['urn:tessera:secevent:client-epoch-raised'], 'only what all are told');
    } finally {
      await test.close();
    }
  });
});

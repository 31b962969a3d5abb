import assert from 'node:assert/strict';
import test from 'node:test';
import { makeSignedInStage } from '../../testing/signed-in-client.ts';
import { TokenClient } from './token-client.ts';

const answers: [name: string, answer: () => Response, message: RegExp][] = [
  [
    'the sign-in page of a network',
    () => new Response('<html>', { headers: { 'content-type': 'text/html; charset=utf-8' } }),
    /expected JSON, got status 200 with text\/html; check the issuer option/,
  ],
  ['a 404 of a proxy', () => new Response('<html>', { status: 404 }), /expected JSON, got status 404 with text\/plain/],
  [
    'a redirect',
    () => new Response(null, { status: 302, headers: { location: 'https://sso.example/?secret' } }),
    /answered with a redirect, expected the answer itself/,
  ],
];

for (const [name, answer, message] of answers) {
  test(`${name} in place of the server's answer signs nobody out, and the error says what came`, async (t) => {
    let isInTheWay = false;
    const runtime = { fetch: async (...given: Parameters<typeof fetch>) => (isInTheWay ? answer() : fetch(...given)) };
    const { client, server } = await makeSignedInStage(t, { runtime });
    isInTheWay = true;
    await assert.rejects(client.refresh(), { code: 'invalid_response', message });
    const fresh = new TokenClient({ issuer: server.origin, client_id: 'web', runtime });
    const asked = fresh.createAuthorizationRequest('http://localhost/callback');
    await assert.rejects(asked, { code: 'invalid_response', message });
    isInTheWay = false;
    await client.refresh();
  });
}

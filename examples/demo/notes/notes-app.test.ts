import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { freePort } from '../../../tests/free-port.ts';
import { listenOnLoopback } from '../local-http.ts';
import { readSettings } from '../settings.ts';
import { createNotesApp } from './notes-app.ts';

test('a server that cannot be asked signs nobody out of Notes', async (t) => {
  t.mock.method(console, 'warn', () => {});
  let nonce = '';
  // A server that redeems codes, and then is away: no keys, no introspection, no feed.
  const server = createServer((request, response) => {
    if (request.url !== '/token') return void response.writeHead(503).end();
    response.end(JSON.stringify({ id_token: idToken(), access_token: accessToken(), refresh_token: 'r' }));
  });
  await listenOnLoopback(server, 0);
  const { port } = server.address() as AddressInfo;
  const notesPort = await freePort();
  const settings = readSettings({ DEMO_PORT_SERVER: String(port), DEMO_PORT_NOTES: String(notesPort) });
  const jwt = (header: object, claims: object) =>
    `${[header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
  const idToken = () =>
    jwt({ alg: 'none' }, { iss: settings.issuer, aud: 'demo-notes', sub: 'ada', nonce, exp: Date.now() / 1000 + 60 });
  const accessToken = () => jwt({ alg: 'ES256', typ: 'at+jwt', kid: 'k' }, {});
  const notes = createNotesApp(settings, { api: 's'.repeat(32), operator: 's'.repeat(32), notes: 's'.repeat(32) });
  await notes.listen(notesPort);
  try {
    const ask = (path: string, init: RequestInit = {}) =>
      fetch(`http://localhost:${notesPort}${path}`, { ...init, redirect: 'manual' });
    const begun = await ask('/sign-in', { method: 'POST', headers: { origin: settings.notes } });
    const asked = new URL(begun.headers.get('location') ?? '').searchParams;
    nonce = asked.get('nonce') ?? '';
    const answer = new URLSearchParams({ code: 'c', state: asked.get('state') ?? '', iss: settings.issuer });
    const done = await ask(`/callback?${answer}`, { headers: { cookie: cookieOf(begun) } });
    const cookie = cookieOf(done);
    for (let visit = 0; visit < 2; visit++) {
      const page = await ask('/', { headers: { cookie } });
      assert.equal(page.status, 503);
      assert.match(await page.text(), /You're not signed out/);
    }
  } finally {
    await notes.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** The cookie an answer sets last, as a browser sends it back. */
function cookieOf(response: Response): string {
  return response.headers.getSetCookie().at(-1)?.split(';')[0] ?? '';
}

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import {
  findPostgres,
  howToInstall,
  openEngine,
  startTestPostgres,
} from '../../packages/server/src/store/postgres/test-postgres.ts';
import { eventually } from '../eventually.ts';
import {
  basic,
  eventsOf,
  introspect,
  obtainCode,
  pkce,
  redeemCode,
  secret,
  signInTokens,
  startTestServer,
  type TestServer,
} from '../test-server.ts';

const paths = [
  '/token',
  '/introspect',
  '/userinfo',
  '/revoke',
  '/events/poll',
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
  '/jwks',
  '/authorize',
  '/authorize/continue',
  '/sign-in',
  '/choose-account',
  '/consent',
  '/end-session',
  '/sign-out',
  '/signed-out',
  '/account',
  '/',
  '/assets/tessera.css',
  '/health',
  '/nowhere',
  '/admin/api/users',
  '//token',
  '/token/',
  '/%2e%2e/token',
  '/token;x=1',
];

const form = 'application/x-www-form-urlencoded';
const names = [
  'grant_type',
  'client_id',
  'code',
  'refresh_token',
  'token',
  'request',
  'scope',
  'resource',
  'redirect_uri',
  'csrf',
  'claims',
  'prompt',
  'max_age',
  'id_token_hint',
  'access_token',
  'username',
  'password',
  'decision',
  'session',
  'state',
  'ack',
];
const nasty = [
  '',
  '\0',
  '%',
  '%zz',
  '%00',
  '%ff%fe',
  '%ed%a0%80',
  '__proto__',
  'constructor',
  'toString',
  '../../../etc/passwd',
  "' OR 1=1 --",
  '$\u007bjndi:ldap://x}',
  '<script>alert(1)</script>',
  '\r\nset-cookie: a=b',
  '%0d%0aset-cookie:%20a=b',
  '日本',
  '💥'.repeat(50),
  'A'.repeat(20_000),
  `tsr_${'A'.repeat(96)}`,
  `tsa_${'A'.repeat(96)}`,
  'e30.e30.',
  'eyJhbGciOiJub25lIn0.e30.',
  'eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AAAA',
  '9'.repeat(400),
  '-1',
  'NaN',
  '1e999',
  '[]',
  '{}',
  '['.repeat(2000),
  '{"id_token":{"__proto__":{"essential":true}}}',
  'http://[::1',
  'https://x:99999/',
  'urn:x',
];

/** A generator with a seed, so that a failure can be had again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

type Shot = { path: string; method: string; query: string; headers: Record<string, string>; body: string | Uint8Array };

function shots(seed: number, count: number): Shot[] {
  const next = random(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;
  const parameters = () =>
    Array.from(
      { length: Math.floor(next() * 5) },
      () => `${pick(names)}=${next() < 0.5 ? pick(nasty) : encodeURIComponent(pick(nasty))}`,
    ).join(next() < 0.9 ? '&' : ';');
  const latin1 = (text: string) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '?').trim();
  return Array.from({ length: count }, () => {
    const method = pick(['GET', 'POST', 'POST', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'PROPFIND']);
    const headers: Record<string, string> = {};
    if (next() < 0.8)
      headers['content-type'] = pick([
        form,
        form,
        form,
        `${form};charset=utf-8`,
        'application/json',
        'multipart/form-data; boundary=x',
        'text/plain',
        '',
        ';;;',
        'x'.repeat(3000),
      ]);
    if (next() < 0.4)
      headers.authorization = pick([
        latin1(pick(nasty)),
        `Basic ${btoa(latin1(pick(nasty)))}`,
        `Bearer ${latin1(pick(nasty))}`,
        `DPoP ${latin1(pick(nasty))}`,
        ...Object.values(basic('machine')),
        ...Object.values(basic('orders-api')),
        ...Object.values(basic('operator')),
      ]);
    if (next() < 0.2) headers.dpop = latin1(pick(nasty));
    if (next() < 0.3)
      headers.cookie = `tessera_session_8080=${latin1(pick(nasty))}; tessera_browser_8080=${latin1(pick(nasty))}; tessera_known_8080=${latin1(pick(nasty))}; ;=;x`;
    if (next() < 0.2) headers['accept-language'] = latin1(pick(nasty));
    if (next() < 0.2) headers.prefer = `wait=${latin1(pick(nasty))}`;
    if (next() < 0.2) headers['user-agent'] = latin1(pick(nasty));
    const isRead = method === 'GET' || method === 'HEAD';
    const body = isRead
      ? ''
      : next() < 0.1
        ? randomBytes(200)
        : next() < 0.15
          ? pick(nasty)
          : next() < 0.03
            ? 'a=b&'.repeat(30_000)
            : parameters();
    const query =
      next() < 0.5
        ? parameters()
            .replace(/[^\x21-\x7e]/gu, encodeURIComponent)
            .replaceAll('#', '')
        : '';
    // A right client that asks the feed would wait; nobody has that time here.
    const path = pick(paths);
    if (path === '/events/poll') headers.prefer = 'wait=0';
    return { path, method, query, headers, body };
  });
}

function assertCalm(shot: Shot, status: number, headers: Headers, text: string): void {
  const about = JSON.stringify({ ...shot, body: String(shot.body).slice(0, 300) }).slice(0, 1500);
  assert.ok(status < 500, `${status} for ${about}: ${text}`);
  assert.doesNotMatch(text, /at .*\.(ts|js):\d+|node:internal|Error:|SQLITE|node_modules/, about);
  assert.equal(headers.get('set-cookie')?.includes('a=b') ?? false, false, about);
  assert.equal(headers.get('x-content-type-options'), 'nosniff', about);
  if (status >= 400 && text !== '' && headers.get('content-type')?.startsWith('application/json')) {
    const body = JSON.parse(text);
    assert.ok(
      body.refusal_id ?? body.id ?? body.refusalId ?? headers.get('tessera-refusal-id'),
      `no id: ${text} for ${about}`,
    );
  }
  if (status >= 400 && headers.get('content-type')?.startsWith('text/html'))
    assert.ok(headers.get('tessera-refusal-id') || status === 403, `no id for ${about}`);
}

/** What a path, a query or a field of JSON may hold in place of an id. */
const nastyIds = [
  'x',
  '\0',
  'a\0b',
  '\ud800',
  'A'.repeat(10_000),
  '💥'.repeat(500),
  '..',
  '\u00ff',
  '__proto__',
  '9223372036854775808',
  '-1',
];

/** Requests to the admin API of somebody who may do all of it. */
function* adminShots(): Generator<{ method: string; path: string; body?: string }> {
  for (const id of nastyIds) {
    const asPart = encodeURIComponent(id.toWellFormed());
    const parts = ['', '/end', '/end-sessions', '/password', '/consents', '/secret', '/cut-off', '/revoke'];
    const bodies = [
      '{}',
      '[',
      JSON.stringify({ username: id, email: id, password: `long enough ${id}`, claims: { x: id } }),
      JSON.stringify({ client_name: id, redirect_uris: [`https://a.example/${id}`], scope: id }),
      JSON.stringify({ id, name: id, audiences: [`https://a.example/${id}`], scopes: { a: { description: id } } }),
      '{"client_name":"x","lifetimes":{"accessToken":1e300},"overlap":1e15}',
    ];
    for (const list of ['users', 'clients', 'resource-servers', 'sessions', 'grants', 'events', 'keys', 'refusals']) {
      for (const name of ['after', 'search', 'user_id', 'sid', 'grant_id', 'client_id', 'type', 'from', 'limit'])
        yield { method: 'GET', path: `/${list}?${name}=${asPart}` };
      for (const part of parts) {
        yield { method: 'GET', path: `/${list}/${asPart}${part}` };
        yield { method: 'POST', path: `/${list}/${asPart}${part}`, body: '{}' };
      }
      yield { method: 'DELETE', path: `/${list}/${asPart}` };
      for (const body of bodies) {
        yield { method: 'POST', path: `/${list}`, body };
        yield { method: 'PATCH', path: `/${list}/${asPart}`, body };
      }
    }
  }
}

for (const engine of ['SQLite', 'Postgres'] as const) badInputOn(engine);

function badInputOn(engine: 'SQLite' | 'Postgres'): void {
  const bin = findPostgres();
  const skip = engine === 'Postgres' && bin === undefined ? howToInstall : false;
  if (skip) console.error(skip);
  describe(`bad input, on ${engine}`, { skip }, () => {
    let test: TestServer;
    let remove = async () => {};
    const failures: string[] = [];
    const log = pino({ level: 'error' }, { write: (line: string) => void failures.push(line) });
    before(async () => {
      if (engine === 'SQLite') test = await startTestServer({ log });
      else {
        const postgres = await startTestPostgres(bin as string);
        remove = () => postgres.remove();
        test = await startTestServer({ log, store: (await openEngine(postgres)).store });
      }
    });
    after(async () => {
      await test?.close();
      await remove();
    });

    it('whatever an administrator sends: never a 5xx, never a failure in the log', async () => {
      const form = { grant_type: 'client_credentials', resource: `${test.issuer}/admin/api` };
      const { body: answer } = await test.post('/token', form, basic('operator'));
      const headers = { authorization: `Bearer ${answer.access_token}`, 'content-type': 'application/json' };
      let served = 0;
      for (const { method, path, body } of adminShots()) {
        const request = new Request(`${test.issuer}/admin/api${path}`, { method, headers, ...(body && { body }) });
        const { status } = await test.server.fetch(request);
        assert.ok(status < 500, `${status} for ${method} ${path.slice(0, 200)} ${body?.slice(0, 200)}`);
        if (status < 300) served += 1;
      }
      assert.ok(served > 50, `${served} were served`);
      assert.deepEqual(failures, []);
    });

    it('who asks together with strange neighbours gets its own answer', async () => {
      const tokens = await signInTokens(test);
      const asked = nastyIds.flatMap((id) => [
        introspect(test, tokens.access_token).then(({ active, client_id }) =>
          assert.deepEqual([active, client_id], [true, 'spa']),
        ),
        introspect(test, id).then(({ active }) => assert.notEqual(active, true)),
        test.post('/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, client_id: id }),
        test.post('/revoke', { token: id, client_id: 'spa' }),
        test.post('/token', { grant_type: 'client_credentials', scope: id, resource: id }, basic('machine')),
      ]);
      for (const answer of await Promise.all(asked)) if (answer) assert.ok(answer.status < 500, JSON.stringify(answer));
      for (const agent of ['A'.repeat(12_000), '\u00ff'.repeat(50)]) {
        const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, client_id: 'spa' };
        const { status, body } = await test.post('/token', form, { 'user-agent': agent });
        assert.equal(status, 200, JSON.stringify(body));
        tokens.refresh_token = String(body.refresh_token);
      }
      assert.deepEqual(failures, []);
    });

    it('1500 random requests, in process: never a 5xx, never a stack, always an id', async () => {
      for (const shot of shots(7, 1500)) {
        let request: Request;
        try {
          const body = shot.method === 'GET' || shot.method === 'HEAD' ? undefined : shot.body;
          request = new Request(`${test.issuer}${shot.path}${shot.query && `?${shot.query}`}`, {
            method: shot.method,
            headers: shot.headers,
            ...(body !== undefined && { body: body as string }),
          });
        } catch {
          continue; // fetch itself does not let it through
        }
        const response = await test.server.fetch(request);
        assertCalm(shot, response.status, response.headers, await response.text());
      }
    });

    it('B18 what comes twice, is broken or has a NUL is refused at every endpoint that reads forms', async () => {
      const bodies = [
        'client_id=spa&client_id=spa',
        'client_id=%',
        'client_id=%zz',
        'client_id=%00',
        'client_id=a%00b',
        'token=%ff',
        'x\0=1',
        `${'a=b&'.repeat(101)}c=d`,
      ];
      for (const path of ['/token', '/introspect', '/revoke'])
        for (const body of bodies) {
          const request = new Request(`${test.issuer}${path}`, {
            method: 'POST',
            body,
            headers: { 'content-type': form },
          });
          const response = await test.server.fetch(request);
          assert.equal(response.status, 400, `${path} ${body}`);
          assert.equal(((await response.json()) as { error: string }).error, 'invalid_request');
        }
    });

    it('a wrong or missing content type is refused', async () => {
      for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x', ''])
        for (const path of ['/token', '/introspect', '/revoke']) {
          const request = new Request(`${test.issuer}${path}`, {
            method: 'POST',
            body: 'grant_type=x&client_id=spa',
            headers: { 'content-type': type },
          });
          assert.equal((await test.server.fetch(request)).status, 400, `${path} ${type}`);
        }
    });

    it('methods that are not offered get 405 and what is allowed', async () => {
      for (const [path, method] of [
        ['/token', 'GET'],
        ['/token', 'PUT'],
        ['/revoke', 'GET'],
        ['/introspect', 'DELETE'],
        ['/events/poll', 'GET'],
        ['/userinfo', 'PATCH'],
      ]) {
        const response = await test.server.fetch(new Request(`${test.issuer}${path}`, { method: method as string }));
        assert.equal(response.status, 405);
        assert.match(response.headers.get('allow') ?? '', /POST/);
      }
    });

    it('an id, a name or a user agent of any length leaves a bounded row', async () => {
      const long = 'x'.repeat(60_000);
      const shotsAtStore: Promise<unknown>[] = [
        test.post('/token', { grant_type: 'client_credentials', client_id: long, client_secret: 'x' }),
        test.post('/token', { grant_type: 'client_credentials' }, basic(`${long.slice(0, 30_000)}`)),
        test.post('/token', { grant_type: 'authorization_code', client_id: 'spa', code: long }),
        test.post('/revoke', { client_id: long, token: 'x' }),
        test.server.fetch(new Request(`${test.issuer}/authorize?client_id=${long}`)),
        test.post(
          '/token',
          { grant_type: 'refresh_token', client_id: 'spa', refresh_token: 'x' },
          { 'user-agent': long },
        ),
      ];
      await Promise.all(shotsAtStore);
      await test.server.context.refusals.flush();
      for (const event of await eventsOf(test, 'request.refused'))
        assert.ok(JSON.stringify(event).length < 2000, `${JSON.stringify(event).length} characters`);
    });
  });
}

describe('bad input through the door on a port', () => {
  let test: TestServer;
  let port: number;
  before(async () => {
    test = await startTestServer({ listen: true });
    port = Number(new URL(test.issuer).port);
  });
  after(() => test.close());

  /** Sends bytes as they are and reads until the other side closes, or that time has passed. */
  function raw(bytes: string | Uint8Array, longestMs = 20_000): Promise<string> {
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      const done = () => {
        socket.destroy();
        resolve(Buffer.concat(chunks).toString('latin1'));
      };
      const timer = setTimeout(done, longestMs);
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('error', done);
      socket.on('close', () => {
        clearTimeout(timer);
        done();
      });
    });
  }
  const post = (path: string, headers: string[], body: string | Buffer) =>
    raw(
      Buffer.concat([
        Buffer.from(
          [
            `POST ${path} HTTP/1.1`,
            'Host: localhost',
            'Connection: close',
            `Content-Length: ${Buffer.byteLength(body)}`,
            ...headers,
            '',
            '',
          ].join('\r\n'),
          'latin1',
        ),
        Buffer.from(body),
      ]),
    );
  const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);

  it('200 random requests: never a 5xx, never a stack, always an id', async () => {
    for (const shot of shots(11, 200)) {
      let response: Response;
      try {
        const body = shot.method === 'GET' || shot.method === 'HEAD' ? undefined : shot.body;
        response = await fetch(`${test.issuer}${shot.path}${shot.query && `?${shot.query}`}`, {
          method: shot.method,
          headers: shot.headers,
          redirect: 'manual',
          ...(body !== undefined && { body: body as string }),
        });
      } catch (error) {
        // Refused by fetch before it was sent, or, for a body far too large, cut off by the server.
        assert.ok(error instanceof TypeError);
        continue;
      }
      const text = await response.text();
      if (response.status === 431) continue;
      assertCalm(shot, response.status, response.headers, text);
    }
  });

  it('a body beyond 64 kB gets 413 with an id, on whatever path, and the metrics do not grow with the paths', async () => {
    for (const path of ['/token', '/authorize', '/nowhere-1', '/nowhere-2']) {
      const answer = await post(path, [`Content-Type: ${form}`], 'a=b&'.repeat(20_000));
      assert.equal(statusOf(answer), 413, path);
      assert.match(answer, /refusal_id/);
    }
    const metrics = await (await fetch(`${test.issuer}/metrics`)).text();
    assert.ok(!metrics.includes('nowhere'));
  });

  it('invalid UTF-8, NULs and broken escapes in bodies and targets are 400', async () => {
    const type = [`Content-Type: ${form}`];
    assert.equal(statusOf(await post('/token', type, Buffer.from([0x61, 0x3d, 0xff, 0xfe]))), 400);
    assert.equal(statusOf(await post('/token', type, Buffer.from('a=\0'))), 400);
    assert.equal(
      statusOf(await raw('GET /authorize?client_id=%c3%28 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')),
      400,
    );
    assert.equal(
      statusOf(await raw('GET /authorize?client_id=% HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')),
      400,
    );
    // Of the whole address only path and query count: this is an authorization request without a client.
    assert.equal(
      statusOf(await raw('GET http://evil.net/authorize HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')),
      400,
    );
    assert.equal(statusOf(await raw('OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')), 404);
  });

  it('a single-value header that comes twice is refused', async () => {
    const { authorization } = basic('machine') as { authorization: string };
    const type = `Content-Type: ${form}`;
    const once = await post('/token', [type, `Authorization: ${authorization}`], 'grant_type=client_credentials');
    assert.equal(statusOf(once), 200);
    const twice = [type, `Authorization: ${authorization}`, `Authorization: ${basic('web').authorization}`];
    assert.equal(statusOf(await post('/token', twice, 'grant_type=client_credentials')), 400);
    const proofs = [type, `Authorization: ${authorization}`, 'DPoP: x', 'DPoP: y'];
    const answer = await post('/token', proofs, 'grant_type=client_credentials');
    assert.equal(statusOf(answer), 400);
    assert.match(answer, /invalid_dpop_proof/);
    const tokens = ['Authorization: Bearer x', 'Authorization: Bearer y'];
    assert.equal(statusOf(await post('/userinfo', tokens, '')), 400);
  });

  it('huge headers, nonsense and smuggled lengths do not bring the server down', async () => {
    const nonsense = [
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
      'NONSENSE\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00',
      'POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
      'POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      'GET /\r\nauthorize HTTP/1.1\r\nHost: x\r\n\r\n',
      `GET /${'a/'.repeat(5000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      randomBytes(2000),
    ];
    // Some leave the server waiting for more.
    const answers = await Promise.all(nonsense.map((bytes) => raw(bytes, 2000)));
    for (const answer of answers) {
      const status = statusOf(answer);
      assert.ok(Number.isNaN(status) || (status >= 400 && status < 500), answer.slice(0, 200));
    }
    assert.equal((await fetch(`${test.issuer}/health`)).status, 200);
  });

  it('who leaves in the middle of a body, or of a long poll, leaves nothing behind', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write(`POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: ${form}\r\nContent-Length: 1000\r\n\r\ngrant_type=`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    const gone = new AbortController();
    const poll = fetch(`${test.issuer}/events/poll`, {
      method: 'POST',
      headers: { ...basic('orders-api', secret), 'content-type': 'application/json' },
      body: '{}',
    });
    const first = (await (await poll).json()) as { mark: string };
    const { jti } = JSON.parse(Buffer.from(first.mark.split('.')[1] as string, 'base64url').toString());
    const waiting = fetch(`${test.issuer}/events/poll`, {
      method: 'POST',
      headers: { ...basic('orders-api', secret), 'content-type': 'application/json' },
      body: JSON.stringify({ ack: [jti] }),
      signal: gone.signal,
    }).catch(() => 'gone');
    const receivers = async () => {
      const metrics = await (await fetch(`${test.issuer}/metrics`)).text();
      return /feed_receivers (\d+)/.exec(metrics)?.[1];
    };
    await eventually(async () => (await receivers()) === '1');
    gone.abort();
    assert.equal(await waiting, 'gone');
    await eventually(async () => (await receivers()) === '0');
  });

  it('a whole flow works afterwards', async () => {
    const { body } = await redeemCode(test, await obtainCode(test));
    assert.ok(body.access_token);
    assert.ok(pkce());
  });
});

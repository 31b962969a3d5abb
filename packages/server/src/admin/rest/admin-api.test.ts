import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Hono } from 'hono';
import { type AdminScope, adminResourceServer, adminScopes } from '../../admin-resource-server.ts';
import type { Output } from '../../http/message.ts';
import type { SigningKeyRecord } from '../../store/records.ts';
import { StoreUnavailable } from '../../store/store.ts';
import { readSigningKeys, rotateSigningKeys } from '../../tokens/key-rotation.ts';
import { digestGrantSecret } from '../../tokens/refresh-token.ts';
import { createTestContext, grantOf, sessionOf, type TestContext } from '../test-context.ts';
import { adminOperations, createAdminApi } from './admin-api.ts';
import type { AdminBindings } from './operation-route.ts';
import { exampleIds } from './parameters.ts';
import { problemSchema } from './problem.ts';

type Parameter = { name: string; in: 'path' | 'query' | 'header'; required: boolean; example?: unknown };
type DocumentedOperation = {
  operationId: string;
  description: string;
  security: Record<string, string[]>[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { example: Record<string, unknown> }> };
  responses: Record<string, object>;
  'x-codeSamples': { source: string }[];
};
type Document = { openapi: string; paths: Record<string, Record<string, DocumentedOperation>> };

const actor = { kind: 'admin', clientId: 'console', userId: 'root' } as const;
const issuer = 'http://localhost:8080';

/** Grants what the header `scopes` says, as a token would. */
async function authorize(headers: Headers, _asked: object, needed: AdminScope) {
  const scopes = headers.get('scopes')?.split(' ');
  if (!scopes) return { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: '' } satisfies Output;
  if (scopes.includes(needed)) return { actor };
  const challenge = `Bearer error="insufficient_scope", scope="${needed}"`;
  return { status: 403, headers: { 'www-authenticate': challenge }, body: '{}' } satisfies Output;
}

const allScopes = Object.keys(adminScopes).join(' ');

/** Made once: keys and hashes take their time. */
let made: { hash: string; key: SigningKeyRecord } | undefined;

async function makeOnce(context: TestContext): Promise<{ hash: string; key: SigningKeyRecord }> {
  if (made) return made;
  const policy = { rotateEvery: 1e9, announceFor: 1, keepRetiredFor: 1 };
  const key = (await rotateSigningKeys(context, policy)).find(({ algorithm }) => algorithm === 'ES256');
  assert.ok(key);
  for (const { kid, version } of await readSigningKeys(context.store))
    await context.store.commit([{ change: 'remove', kind: 'signing_key', id: kid, expect: version }]);
  made = {
    hash: await context.passwords.hash('the password that must not show'),
    key: { ...key, kid: exampleIds.kid },
  };
  return made;
}

/** A context that holds everything the examples of the document speak of. */
async function createExampleContext(): Promise<TestContext> {
  const context = await createTestContext();
  const { userId, clientId, sid, grantId, refusalId, resourceServerId } = exampleIds;
  const { hash, key } = await makeOnce(context);
  const at = context.now();
  const api = createAdminApi(context, authorize);
  const session = sessionOf(userId, sid, at);
  await post(api, '/clients', {
    client_name: 'Web shop',
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: ['https://shop.example.com/callback'],
  });
  const [template] = (await context.store.list('client', { limit: 1 })).items;
  assert.ok(template);
  const origin = { ip: '192.0.2.1', userAgent: 'x' };
  const result = await context.store.commit([
    {
      change: 'put',
      kind: 'user',
      expect: 'absent',
      record: {
        userId,
        version: 0,
        username: 'ada',
        email: 'ada@example.com',
        emailVerified: true,
        passwordHash: hash,
        claims: { name: 'Ada' },
        roles: ['clerk'],
        disabled: false,
        createdAt: at,
        updatedAt: at,
      },
    },
    { change: 'put', kind: 'client', expect: 'absent', record: { ...template, clientId } },
    {
      change: 'put',
      kind: 'resource_server',
      expect: 'absent',
      record: {
        resourceServerId,
        version: 0,
        name: 'Orders',
        audiences: ['https://api.example.com/orders'],
        scopes: {},
        roles: {},
        tokenFormat: 'jwt',
        algorithm: 'HS256',
        encryptedSecret: 'sealed-secret-that-must-not-show',
        clients: [],
        declared: false,
        createdAt: at,
        updatedAt: at,
      },
    },
    { change: 'put', kind: 'signing_key', expect: 'absent', record: key },
    { change: 'create-session', session },
    {
      change: 'create-grant',
      // The grant of the refresh token in the document, sealed under this context's root key.
      grant: {
        ...grantOf(session, clientId, grantId, at),
        secretDigest: digestGrantSecret(new Uint8Array(16).fill(9)),
      },
    },
    {
      change: 'put',
      kind: 'consent',
      expect: 'absent',
      record: {
        consentId: `${userId}/${clientId}`,
        version: 0,
        userId,
        clientId,
        scopes: [],
        resources: [],
        grantedAt: at,
      },
    },
  ]);
  assert.equal(result.outcome, 'committed');
  const facts = { grantId, sid, clientId };
  const reason = 'grant_idle';
  context.refusals.add({
    refusalId,
    endpoint: 'token',
    error: 'invalid_grant',
    reason,
    description: '',
    facts,
    origin,
  });
  await context.refusals.flush();
  return context;
}

function post(
  api: Hono<AdminBindings>,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return send(api, 'POST', path, body, headers);
}

async function send(
  api: Hono<AdminBindings>,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return api.request(`${issuer}/admin/api${path}`, {
    method,
    headers: { scopes: allScopes, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}

/** A request of an operation, filled with the examples of the document. */
function exampleRequest(path: string, operation: DocumentedOperation): { path: string; body?: string } {
  const search = new URLSearchParams();
  let filled = path;
  for (const { name, in: place, example } of operation.parameters ?? []) {
    if (example === undefined) continue;
    if (place === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(String(example)));
    if (place === 'query') search.set(name, String(example));
  }
  const body = operation.requestBody?.content['application/json']?.example;
  return { path: `${filled}?${search}`, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
}

/** Names and values that no answer may have. */
const secrets = [
  'passwordHash',
  'secretDigest',
  'cookieDigest',
  'encryptedPrivateJwk',
  'encryptedSecret',
  'sealKeyId',
  '$argon2id',
  'cookie-digest-of',
  'secret-digest-of',
  'sealed-secret-that-must-not-show',
  '"d":',
];

describe('the OpenAPI document', async () => {
  let document: Document;
  const operations: [string, string, DocumentedOperation][] = [];
  before(async () => {
    const context = await createTestContext();
    const answer = await createAdminApi(context, authorize).request(`${issuer}/admin/api/openapi.json`);
    document = (await answer.json()) as Document;
    for (const [path, methods] of Object.entries(document.paths))
      for (const [method, operation] of Object.entries(methods)) operations.push([method, path, operation]);
    await context.close();
  });

  test('B21: is OpenAPI 3.1 and has every operation, each with a scope of its own', () => {
    assert.match(document.openapi, /^3\.1\./);
    assert.equal(operations.length, adminOperations.length);
    assert.equal(new Set(operations.map(([, , { operationId }]) => operationId)).size, operations.length);
    for (const [method, path, { security, responses, description }] of operations) {
      const scope = security[0]?.accessToken?.[0] as AdminScope;
      assert.ok(scope in adminScopes, `${method} ${path}`);
      assert.ok(description.includes(scope));
      for (const status of ['400', '401', '403', '503']) assert.ok(status in responses, `${method} ${path}: ${status}`);
      // What is found by a secret is asked for in a body, which no log of addresses keeps.
      const isReading = method === 'get' || path.endsWith('/find');
      assert.ok(scope.endsWith(isReading ? ':read' : ':write'), `${method} ${path}`);
    }
  });

  test('B21: each operation is refused without a token, and with all scopes but its own', async () => {
    const context = await createExampleContext();
    const api = createAdminApi(context, authorize);
    for (const [method, path, operation] of operations) {
      const { path: url, body } = exampleRequest(path, operation);
      const init = { method: method.toUpperCase(), ...(body === undefined ? {} : { body }) };
      const json = { 'content-type': 'application/json' };
      const anonymous = await api.request(`${issuer}${url}`, { ...init, headers: json });
      assert.equal(anonymous.status, 401, `${method} ${path}`);
      const scope = operation.security[0]?.accessToken?.[0] ?? '';
      const others = Object.keys(adminScopes).filter((one) => one !== scope);
      const refused = await api.request(`${issuer}${url}`, { ...init, headers: { ...json, scopes: others.join(' ') } });
      assert.equal(refused.status, 403, `${method} ${path}`);
      assert.ok(refused.headers.get('www-authenticate')?.includes(scope));
    }
    await context.close();
  });

  test('B21: each example runs as written, and its answer is as documented and has no secrets', async () => {
    const context = await createExampleContext();
    const api = createAdminApi(context, authorize);
    // What removes something comes last, the innermost first.
    const rank = (method: string, path: string) => (method === 'delete' ? 1000 - path.length : 0);
    for (const [method, path, operation] of operations.toSorted((a, b) => rank(a[0], a[1]) - rank(b[0], b[1]))) {
      const { path: url, body } = exampleRequest(path, operation);
      const answer = await api.request(`${issuer}${url}`, {
        method: method.toUpperCase(),
        headers: { scopes: allScopes, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body }),
      });
      const text = await answer.text();
      const definition = adminOperations.find(({ id }) => id === operation.operationId);
      assert.equal(answer.status, definition?.answer.status, `${method} ${path}: ${text}`);
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      const checked = definition?.answer.schema.safeParse(JSON.parse(text));
      assert.ok(checked?.success, `${method} ${path}: ${checked?.error?.message} ${text}`);
      for (const secret of secrets) assert.ok(!text.includes(secret), `${method} ${path} answers ${secret}: ${text}`);
    }
    await context.close();
  });

  test('B21: each operation has its example as a command', () => {
    for (const [method, path, operation] of operations) {
      const source = operation['x-codeSamples'][0]?.source ?? '';
      const { path: url, body } = exampleRequest(path, operation);
      assert.ok(source.includes(`curl -X ${method.toUpperCase()} '${issuer}${url.replace(/\?$/, '')}'`), source);
      if (body !== undefined) assert.ok(source.includes(`-d '${body}'`), source);
    }
  });
});

test('docs/admin-api.md lists every operation with its scope', () => {
  const rows = readFileSync(resolve(import.meta.dirname, '../../../../../docs/admin-api.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  for (const { method, path, scope } of adminOperations) {
    const row = rows.find((line) => line.includes(`\`${method.toUpperCase()} ${path}\``));
    assert.ok(row?.includes(`\`${scope}\``), `${method.toUpperCase()} ${path} with ${scope}`);
  }
});

describe('the admin API', () => {
  let context: TestContext;
  let api: Hono<AdminBindings>;
  before(async () => {
    context = await createExampleContext();
    api = createAdminApi(context, authorize);
  });
  after(() => context.close());

  const problemOf = async (answer: Response) => {
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    const problem = problemSchema.parse(await answer.json());
    assert.equal(problem.status, answer.status);
    assert.equal(problem.refusal_id, answer.headers.get('tessera-refusal-id'));
    return problem;
  };

  test('a refusal is a problem with a reason and an id, and the id finds it again', async () => {
    const problem = await problemOf(await send(api, 'GET', '/users/nobody'));
    assert.partialDeepStrictEqual(problem, {
      type: 'urn:tessera:refusal:not_found',
      title: 'There is no such thing.',
      status: 404,
      reason: 'not_found',
    });
    await context.refusals.flush();
    const found = await send(api, 'GET', `/refusals/${problem.refusal_id}`);
    assert.partialDeepStrictEqual(await found.json(), { reason: 'not_found', event: { data: { endpoint: 'admin' } } });
  });

  test('bad input is answered with 400, naming the field, and never with a 500', async () => {
    const users = '/users';
    const user = `/users/${exampleIds.userId}`;
    const client = `/clients/${exampleIds.clientId}`;
    const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`;
    const cases: [string, string, unknown, string | undefined][] = [
      ['POST', users, undefined, undefined],
      ['POST', users, '', undefined],
      ['POST', users, '{', undefined],
      ['POST', users, 'null', undefined],
      ['POST', users, '[]', undefined],
      ['POST', users, '"x"', undefined],
      ['POST', users, {}, 'username'],
      ['POST', users, { username: ['a'] }, 'username'],
      ['POST', users, { username: 'x', __proto__x: 1 }, '__proto__x'],
      ['POST', users, '{"username":"x","__proto__":{"roles":["admin"]}}', '__proto__'],
      ['POST', users, `{"username":"x","claims":{"a":${deep}}}`, undefined],
      ['POST', '/clients', `{"client_name":"x","jwks":{"keys":[${deep}]}}`, undefined],
      [
        'POST',
        '/clients',
        { client_name: 'x', jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'a', y: 'b' }] } },
        'jwks.keys[0]',
      ],
      ['POST', '/clients', { client_name: 'x', redirect_uris: [{}] }, 'redirect_uris[0]'],
      ['POST', '/clients', { client_name: 'x', redirect_uris: ['javascript:alert(1)'] }, 'redirect_uris[0]'],
      ['POST', '/clients', { client_name: 'x', lifetimes: { accessToken: 1e9 } }, 'lifetimes.accessToken'],
      ['POST', '/clients', { client_name: 'x', lifetimes: { accessToken: 1.5 } }, 'lifetimes.accessToken'],
      ['PATCH', user, { userId: 'other' }, 'userId'],
      ['PATCH', user, { username: null }, 'username'],
      ['PATCH', user, { email: 'x' }, 'email'],
      ['PATCH', client, { client_id: 'other' }, 'client_id'],
      ['PATCH', client, { epoch: 0 }, 'epoch'],
      ['PATCH', client, { declared: true }, 'declared'],
      ['POST', `${client}/secret`, { overlap: -1 }, 'overlap'],
      ['POST', `${client}/secret`, { overlap: '1d' }, 'overlap'],
      ['POST', '/keys/rotate', { algorithms: ['HS256'] }, 'algorithms[0]'],
      ['GET', '/users?limit=0', undefined, 'limit'],
      ['GET', '/users?limit=x', undefined, 'limit'],
      ['GET', '/users?limit=1&limit=2', undefined, 'limit'],
      ['GET', '/users?limt=1', undefined, 'limt'],
      ['GET', '/users?after=', undefined, 'after'],
      ['GET', '/sessions?state=maybe', undefined, 'state'],
      ['GET', '/sessions?userId=a&userId=b', undefined, 'userId'],
      ['GET', '/events?types=user.exploded', undefined, 'types'],
      ['GET', '/events?before=0', undefined, 'before'],
      ['GET', `/events?from=${'9'.repeat(40)}`, undefined, 'from'],
      ['GET', '/users/%00', undefined, 'userId'],
      ['GET', `/users/${'x'.repeat(301)}`, undefined, 'userId'],
    ];
    for (const [method, path, body, field] of cases) {
      const problem = await problemOf(await send(api, method, path, body));
      assert.equal(problem.status, 400, `${method} ${path} ${JSON.stringify(body)?.slice(0, 80)}: ${problem.detail}`);
      assert.equal(problem.field, field, `${method} ${path}: ${problem.detail}`);
    }
  });

  test('odd paths and cursors are answered, never with a 500', async () => {
    for (const path of [
      '/users/%',
      '/users/%ff',
      '/users?after=%ff',
      '/users?after=x',
      '/grants?after=nonsense',
      '/sessions?after=!',
    ]) {
      const { status } = await send(api, 'GET', path);
      assert.ok([200, 400, 404].includes(status), `${path}: ${status}`);
    }
    assert.equal((await send(api, 'GET', '/nothing')).status, 404);
    assert.equal((await send(api, 'PUT', '/users')).status, 404);
  });

  test('a body in another type, or larger than 256 KiB, is refused before it is read whole', async () => {
    const typed = await problemOf(
      await post(api, '/users', 'username=x', { 'content-type': 'application/x-www-form-urlencoded' }),
    );
    assert.equal(typed.field, 'Content-Type');
    const large = JSON.stringify({ username: 'x'.repeat(300_000) });
    assert.equal((await problemOf(await post(api, '/users', large))).status, 413);
    const chunk = new TextEncoder().encode('x'.repeat(65_536));
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += chunk.length;
        controller.enqueue(chunk);
      },
    });
    const headers = { scopes: allScopes, 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: endless, duplex: 'half' };
    assert.equal((await problemOf(await api.request(`${issuer}/admin/api/users`, init as RequestInit))).status, 413);
    assert.ok(sent < 1_000_000);
    const invalid = await api.request(`${issuer}/admin/api/users`, {
      method: 'POST',
      headers,
      body: new Uint8Array([0x22, 0xff, 0x22]),
    });
    assert.equal((await problemOf(invalid)).reason, 'malformed_request');
  });

  test('a change with If-Match of an older version is refused with 412, with the present one it is done', async () => {
    const path = `/users/${exampleIds.userId}`;
    const etag = (await send(api, 'GET', path)).headers.get('etag') ?? '';
    assert.match(etag, /^"\d+"$/);
    const first = await send(api, 'PATCH', path, { roles: ['a'] }, { 'if-match': etag });
    assert.equal(first.status, 200);
    assert.notEqual(first.headers.get('etag'), etag);
    const second = await send(api, 'PATCH', path, { roles: ['b'] }, { 'if-match': etag });
    assert.equal((await problemOf(second)).status, 412);
    assert.equal((await send(api, 'PATCH', path, { roles: ['c'] }, { 'if-match': '*' })).status, 200);
    for (const wrong of [`W/${etag}`, '1', '"x"', `${etag}, "9"`])
      assert.equal((await problemOf(await send(api, 'PATCH', path, {}, { 'if-match': wrong }))).field, 'If-Match');
  });

  test('a taken name is refused with 409', async () => {
    const problem = await problemOf(await post(api, '/users', { username: 'ADA' }));
    assert.partialDeepStrictEqual(problem, { status: 409, reason: 'conflict', field: 'username' });
  });

  test('a secret is answered once and never again', async () => {
    const created = await post(api, '/clients', {
      client_name: 'Once',
      token_endpoint_auth_method: 'client_secret_post',
      redirect_uris: ['https://once.example.com/cb'],
    });
    assert.equal(created.status, 201);
    const { client_id, client_secret } = (await created.json()) as { client_id: string; client_secret: string };
    assert.match(client_secret, /^[A-Za-z0-9_-]{43}$/);
    for (const path of [
      `/clients/${client_id}`,
      '/clients?limit=200',
      '/events?limit=200',
      `/events?clientId=${client_id}`,
    ])
      assert.ok(!(await (await send(api, 'GET', path)).text()).includes(client_secret), path);
  });

  test('the built-in resource server is neither listed nor to be changed', async () => {
    const listed = await (await send(api, 'GET', '/resource-servers')).text();
    assert.ok(!listed.includes('tessera-admin'));
    assert.equal((await send(api, 'PATCH', '/resource-servers/tessera-admin', { name: 'x' })).status, 404);
    assert.equal((await send(api, 'DELETE', '/resource-servers/tessera-admin')).status, 404);
  });

  test('a store that is away is answered with 503 and Retry-After, and so is a bug', async () => {
    for (const error of [new StoreUnavailable('the disk is full'), new RangeError('secret detail')]) {
      const broken = {
        ...context,
        store: new Proxy(context.store, {
          get: (target, name, receiver) =>
            name === 'get' ? () => Promise.reject(error) : Reflect.get(target, name, receiver),
        }),
      };
      const answer = await createAdminApi(broken, authorize).request(`${issuer}/admin/api/users/x`, {
        headers: { scopes: allScopes },
      });
      assert.equal(answer.headers.get('retry-after'), '5');
      const problem = await problemOf(answer);
      assert.equal(problem.status, 503);
      assert.ok(!problem.detail.includes(error.message));
    }
  });
});

describe('the built-in resource server', () => {
  test('grants all scopes to the role admin, those for reading to auditors, and none to others', () => {
    const server = adminResourceServer(issuer);
    assert.deepEqual(server.audiences, [`${issuer}/admin/api`]);
    assert.deepEqual(server.roles.admin?.toSorted(), Object.keys(adminScopes).toSorted());
    assert.ok(server.roles.auditor?.every((scope) => scope.endsWith(':read')));
    assert.deepEqual(Object.keys(server.roles), ['admin', 'auditor']);
    for (const scope of Object.keys(server.scopes)) {
      assert.ok(server.roles.admin?.includes(scope), 'a scope without a role would be granted to everybody');
      assert.ok(server.scopes[scope]?.description);
    }
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Registry } from '../registry.ts';
import type { ClientRecord, ResourceServerRecord } from '../store/records.ts';
import { sampleResourceServer } from '../store/sample-records.ts';
import { openSqliteStore } from '../store/sqlite/open.ts';
import type { Store } from '../store/store.ts';
import { findTargets, narrowTargets, oneKindOfToken, scopesAt, type Targets } from './targets.ts';

const issuer = 'https://auth.example.com';
const orders = 'https://api.example.com/orders';
const invoices = 'https://api.example.com/invoices';
const reports = 'https://reports.example.com';
const old = 'urn:example:old';
const servers: ResourceServerRecord[] = [
  sampleResourceServer({ resourceServerId: 'orders', audiences: [orders, invoices], scopes: { 'orders:read': {} } }),
  sampleResourceServer({ resourceServerId: 'reports', audiences: [reports], scopes: { 'reports:read': {} } }),
  sampleResourceServer({ resourceServerId: 'old', audiences: [old], scopes: { 'old:read': {} }, algorithm: 'RS256' }),
];

describe('where tokens will be used', () => {
  let store: Store;
  let context: Parameters<typeof findTargets>[0];
  before(async () => {
    store = await openSqliteStore({ file: ':memory:' });
    for (const record of servers)
      await store.commit([{ change: 'put', kind: 'resource_server', expect: 'absent', record }]);
    context = { registry: new Registry(store, []), config: { issuer } as Parameters<typeof findTargets>[0]['config'] };
  });
  after(() => store.close());

  /** The audiences, or the error with its reason. */
  function shown(found: Awaited<ReturnType<typeof findTargets>>): string[] | string {
    return found.kind === 'refuse' ? `${found.error} ${found.reason}` : found.audiences;
  }

  type Case = {
    name: string;
    client?: Partial<Pick<ClientRecord, 'resources' | 'defaultResources'>>;
    asked?: string[];
    scopes?: string[];
    expected: string[] | string;
  };
  const found: Case[] = [
    { name: 'A26: the one that is named', asked: [orders], expected: [orders] },
    {
      name: 'A26: several, in the order they are named, each once',
      asked: [reports, orders, reports],
      expected: [reports, orders],
    },
    {
      name: 'the issuer itself may be named by everybody',
      asked: [issuer],
      client: { resources: [] },
      expected: [issuer],
    },
    { name: 'a URN', asked: [old], expected: [old] },
    { name: 'A26: an unknown one', asked: ['https://unknown.example'], expected: 'invalid_target resource_unknown' },
    {
      name: 'one unknown among known ones',
      asked: [orders, 'https://unknown.example'],
      expected: 'invalid_target resource_unknown',
    },
    { name: 'one that differs by a slash', asked: [`${orders}/`], expected: 'invalid_target resource_unknown' },
    { name: 'no URI (RFC 8707 section 2)', asked: ['orders'], expected: 'invalid_target resource_unknown' },
    {
      name: 'a URI with a fragment (RFC 8707 section 2)',
      asked: [`${orders}#part`],
      expected: 'invalid_target resource_unknown',
    },
    {
      name: 'one that the client may not use',
      asked: [reports],
      client: { resources: [orders] },
      expected: 'invalid_target resource_unknown',
    },
    {
      name: "without resource: the client's default ones",
      client: { defaultResources: [orders] },
      scopes: ['reports:read'],
      expected: [orders],
    },
    {
      name: 'without resource: all audiences of the resource servers whose scopes are asked for',
      scopes: ['orders:read'],
      expected: [orders, invoices],
    },
    {
      name: 'without resource: of those, the ones the client may use',
      scopes: ['orders:read', 'reports:read'],
      client: { resources: [invoices] },
      expected: [invoices],
    },
    { name: 'without resource: the issuer when no scope says more', scopes: ['openid'], expected: [issuer] },
    {
      name: 'without resource: the issuer when the client may use none of them',
      scopes: ['orders:read'],
      client: { resources: [] },
      expected: [issuer],
    },
    {
      name: 'a scope named like an object member finds nothing',
      scopes: ['toString', '__proto__'],
      expected: [issuer],
    },
  ];
  for (const { name, client, asked = [], scopes = [], expected } of found)
    it(name, async () => {
      const traits = { clientId: 'web', resources: 'any' as const, defaultResources: [], ...client };
      const targets = await findTargets(context, traits, asked, scopes);
      assert.deepEqual(shown(targets), expected);
    });

  it('both say the same of a resource that is unknown and of one that is forbidden', async () => {
    const refusals = await Promise.all(
      ['https://unknown.example', reports].map((asked) =>
        findTargets(context, { clientId: 'web', resources: [orders], defaultResources: [] }, [asked], []),
      ),
    );
    const described = refusals.map((one) => one.kind === 'refuse' && one.description.replace(/"[^"]*"/, '…'));
    assert.equal(described[0], described[1]);
  });

  const anything = { resources: 'any' as const, defaultResources: [] };
  const narrowed: { name: string; granted: string[]; asked: string[]; expected: string[] | string }[] = [
    {
      name: 'a refresh without resource reaches all that was granted',
      granted: [orders, reports],
      asked: [],
      expected: [orders, reports],
    },
    { name: 'A26: a refresh may narrow', granted: [orders, reports], asked: [reports], expected: [reports] },
    {
      name: 'A26: and never widen',
      granted: [orders],
      asked: [reports],
      expected: 'invalid_target resource_not_granted',
    },
    {
      name: 'not even beside what was granted',
      granted: [orders],
      asked: [orders, reports],
      expected: 'invalid_target resource_not_granted',
    },
    {
      name: 'not even to a sister of the same resource server',
      granted: [orders],
      asked: [invoices],
      expected: 'invalid_target resource_not_granted',
    },
    { name: 'the same one twice is one', granted: [orders, reports], asked: [orders, orders], expected: [orders] },
    {
      name: 'two kinds of tokens at once cannot be',
      granted: [orders, old],
      asked: [],
      expected: 'invalid_target resource_not_granted',
    },
    { name: 'one after the other they can', granted: [orders, old], asked: [old], expected: [old] },
  ];
  for (const { name, granted, asked, expected } of narrowed)
    it(name, async () => assert.deepEqual(shown(await narrowTargets(context, anything, granted, asked)), expected));

  it('what the client may not reach any more is left out, and refused when nothing else is left', async () => {
    const limited = { resources: [reports], defaultResources: [] };
    assert.deepEqual(shown(await narrowTargets(context, limited, [orders, reports], [])), [reports]);
    const refused = 'invalid_target resource_not_granted';
    assert.deepEqual(shown(await narrowTargets(context, limited, [orders, reports], [orders])), refused);
    assert.deepEqual(shown(await narrowTargets(context, limited, [orders], [])), refused);
  });

  it('a resource server that was removed since is a mere audience', async () => {
    const targets = (await narrowTargets(context, anything, ['https://removed.example', orders], [])) as Targets;
    assert.deepEqual(targets.audiences, ['https://removed.example', orders]);
    assert.deepEqual(
      targets.resourceServers.map((one) => one.resourceServerId),
      ['orders'],
    );
  });

  it('one token has one format and one algorithm', () => {
    const of = (...resourceServers: ResourceServerRecord[]): Targets => ({
      kind: 'targets',
      audiences: [],
      resourceServers,
    });
    const opaque = sampleResourceServer({ tokenFormat: 'opaque' });
    assert.equal(oneKindOfToken(of()).kind, 'targets');
    assert.equal(oneKindOfToken(of(servers[0]!, servers[1]!)).kind, 'targets');
    assert.equal(oneKindOfToken(of(servers[0]!, servers[2]!)).kind, 'refuse');
    assert.equal(oneKindOfToken(of(servers[0]!, opaque)).kind, 'refuse');
  });

  it('A22: scopes go only where they mean something', () => {
    const scopes = ['openid', 'offline_access', 'orders:read', 'reports:read', 'toString'];
    assert.deepEqual(scopesAt({ resourceServers: [servers[0]!] }, scopes, undefined), [
      'openid',
      'offline_access',
      'orders:read',
    ]);
    assert.deepEqual(scopesAt({ resourceServers: [] }, scopes, undefined), ['openid', 'offline_access']);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sampleResourceServer } from '../store/sample-records.ts';
import { judgeScopes, permissionsOf, type ScopeJudgement } from './permissions.ts';

const orders = sampleResourceServer({
  resourceServerId: 'orders',
  scopes: { 'orders:read': {}, 'orders:write': {}, 'shared:see': {} },
  roles: { editor: ['orders:write', 'may-approve'], admin: ['orders:write', 'may-delete'] },
});
const reports = sampleResourceServer({
  resourceServerId: 'reports',
  scopes: { 'reports:read': {}, 'shared:see': {} },
  roles: { auditor: ['reports:read', 'shared:see'] },
});
const client = {
  scopes: ['openid', 'email', 'orders:read', 'orders:write', 'reports:read', 'shared:see', 'toString'],
  offlineAccess: true,
  grantTypes: [],
};

describe('scopes asked for', () => {
  type Case = {
    name: string;
    asked: string[];
    client?: Partial<typeof client>;
    roles: string[] | undefined;
    servers?: (typeof orders)[];
    expected: Partial<ScopeJudgement>;
  };
  const cases: Case[] = [
    { name: 'none', asked: [], roles: [], expected: {} },
    {
      name: 'one without a rule is for every user',
      asked: ['orders:read'],
      roles: [],
      expected: { allowed: ['orders:read'] },
    },
    {
      name: 'A18: one with a rule is refused to users without such a role',
      asked: ['orders:write'],
      roles: ['reader'],
      expected: { refused: ['orders:write'] },
    },
    {
      name: 'A18: and allowed to users with one',
      asked: ['orders:write'],
      roles: ['editor'],
      expected: { allowed: ['orders:write'] },
    },
    {
      name: 'or with another',
      asked: ['orders:write'],
      roles: ['reader', 'admin'],
      expected: { allowed: ['orders:write'] },
    },
    {
      name: 'a role of one resource server is nothing at another',
      asked: ['reports:read'],
      roles: ['editor'],
      expected: { refused: ['reports:read'] },
    },
    {
      name: 'a scope of two resource servers, ruled at one, is had by the other',
      asked: ['shared:see'],
      roles: [],
      expected: { allowed: ['shared:see'] },
    },
    {
      name: 'and refused where only the ruled one is at hand',
      asked: ['shared:see'],
      roles: [],
      servers: [reports],
      expected: { refused: ['shared:see'] },
    },
    {
      name: 'nobody registered it',
      asked: ['nothing:read'],
      roles: ['editor'],
      expected: { unknown: ['nothing:read'] },
    },
    {
      name: 'names of object members are unknown',
      asked: ['toString', '__proto__', 'constructor'],
      roles: [],
      expected: { unknown: ['toString', '__proto__', 'constructor'] },
    },
    {
      name: 'a role named like an object member permits nothing',
      asked: ['orders:write'],
      roles: ['toString', '__proto__', 'constructor'],
      expected: { refused: ['orders:write'] },
    },
    {
      name: 'C7: the client is not registered for it',
      asked: ['orders:read'],
      client: { scopes: ['openid'] },
      roles: [],
      expected: { refused: ['orders:read'] },
    },
    {
      name: 'OpenID Connect: those the client is registered for',
      asked: ['openid', 'email', 'phone'],
      roles: [],
      expected: { allowed: ['openid', 'email'], refused: ['phone'] },
    },
    {
      name: 'offline_access where the client may',
      asked: ['offline_access'],
      roles: [],
      expected: { allowed: ['offline_access'] },
    },
    {
      name: 'offline_access where it may not',
      asked: ['offline_access'],
      client: { offlineAccess: false, scopes: ['offline_access'] },
      roles: [],
      expected: { refused: ['offline_access'] },
    },
    {
      name: 'a client for itself has its scopes, ruled or not: rules are for users',
      asked: ['orders:read', 'orders:write'],
      roles: undefined,
      expected: { allowed: ['orders:read', 'orders:write'] },
    },
    {
      name: 'but none of OpenID Connect: there is no user',
      asked: ['openid', 'email', 'offline_access'],
      roles: undefined,
      expected: { refused: ['openid', 'email', 'offline_access'] },
    },
    {
      name: 'the order asked for is kept',
      asked: ['shared:see', 'openid', 'orders:read'],
      roles: [],
      expected: { allowed: ['shared:see', 'openid', 'orders:read'] },
    },
  ];
  for (const { name, asked, client: changed, roles, servers = [orders, reports], expected } of cases)
    it(name, () =>
      assert.deepEqual(judgeScopes(asked, { ...client, ...changed }, roles && { roles }, servers), {
        allowed: [],
        unknown: [],
        refused: [],
        ...expected,
      }),
    );
});

describe("A18: a user's permissions at resource servers", () => {
  const cases = [
    { name: 'nobody has none', roles: undefined, servers: [orders], expected: { roles: [], permissions: [] } },
    {
      name: 'roles that mean nothing there are not told',
      roles: ['editor', 'chef'],
      servers: [orders],
      expected: { roles: ['editor'], permissions: ['orders:write', 'may-approve'] },
    },
    {
      name: 'several roles give each permission once',
      roles: ['editor', 'admin'],
      servers: [orders],
      expected: { roles: ['editor', 'admin'], permissions: ['orders:write', 'may-approve', 'may-delete'] },
    },
    {
      name: 'several resource servers add up',
      roles: ['editor', 'auditor'],
      servers: [orders, reports],
      expected: {
        roles: ['editor', 'auditor'],
        permissions: ['orders:write', 'may-approve', 'reports:read', 'shared:see'],
      },
    },
    {
      name: 'what the audience does not know is not told',
      roles: ['editor', 'auditor'],
      servers: [reports],
      expected: { roles: ['auditor'], permissions: ['reports:read', 'shared:see'] },
    },
    {
      name: 'no resource server, no permissions',
      roles: ['editor'],
      servers: [],
      expected: { roles: [], permissions: [] },
    },
    {
      name: 'names of object members are no roles',
      roles: ['toString', '__proto__'],
      servers: [orders],
      expected: { roles: [], permissions: [] },
    },
  ];
  for (const { name, roles, servers, expected } of cases)
    it(name, () =>
      assert.deepEqual(
        permissionsOf(
          roles && { roles },
          servers,
          servers.flatMap((one) => Object.keys(one.scopes)),
        ),
        expected,
      ),
    );

  it('one that is a scope is told only where the scope was granted', () => {
    const { permissions } = permissionsOf({ roles: ['editor', 'auditor'] }, [orders, reports], ['reports:read']);
    assert.ok(permissions.includes('reports:read') && permissions.includes('may-approve'));
    assert.ok(!permissions.includes('orders:write'));
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEdge } from './create-edge.ts';
import { metadataAnswer } from './middleware/answers.ts';
import { resourceMetadataUrl } from './resource-metadata.ts';

const edgeOf = (options: {
  audience: string | string[];
  resource?: string;
  publicUrl?: string;
  dpop?: { isRequired: boolean };
}) =>
  createEdge({
    issuer: 'https://id.example.com',
    allowRevokedUntilExpiry: true,
    resourceName: 'Orders',
    resourceDocumentation: 'https://docs.example.com',
    ...options,
  });

test('RFC 9728 section 3.1: the well-known part goes between host and path', () => {
  const cases: [string, string][] = [
    ['https://api.example.com', 'https://api.example.com/.well-known/oauth-protected-resource'],
    ['https://api.example.com/', 'https://api.example.com/.well-known/oauth-protected-resource'],
    ['https://api.example.com/mcp', 'https://api.example.com/.well-known/oauth-protected-resource/mcp'],
    [
      'https://api.example.com:8443/a/b?t=1',
      'https://api.example.com:8443/.well-known/oauth-protected-resource/a/b?t=1',
    ],
  ];
  for (const [resource, url] of cases) assert.equal(resourceMetadataUrl(resource), url);
});

test('D9: the document names what was set up, and nothing else', () => {
  const edge = edgeOf({ audience: 'https://api.example.com/mcp', dpop: { isRequired: true } });
  assert.deepEqual(edge.metadata(), {
    resource: 'https://api.example.com/mcp',
    authorization_servers: ['https://id.example.com'],
    bearer_methods_supported: ['header'],
    resource_name: 'Orders',
    resource_documentation: 'https://docs.example.com',
    dpop_signing_alg_values_supported: ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
    dpop_bound_access_tokens_required: true,
  });
});

test('the identifier is the one named, else the first audience that is a URL, else the public URL', () => {
  assert.equal(
    edgeOf({ audience: ['orders', 'https://a.example.com'], resource: 'https://b.example.com' }).metadata()?.resource,
    'https://b.example.com',
  );
  assert.equal(edgeOf({ audience: ['orders', 'https://a.example.com'] }).metadata()?.resource, 'https://a.example.com');
  assert.equal(
    edgeOf({ audience: 'orders', publicUrl: 'https://c.example.com' }).metadata()?.resource,
    'https://c.example.com',
  );
  assert.equal(edgeOf({ audience: 'orders' }).metadata(), undefined);
  assert.equal(edgeOf({ audience: 'urn:example:orders' }).metadata(), undefined);
});

test('it is served at exactly its place, to readers only', () => {
  const edge = edgeOf({ audience: 'https://api.example.com/mcp' });
  const path = '/.well-known/oauth-protected-resource/mcp';
  assert.equal(metadataAnswer(edge, 'GET', path)?.status, 200);
  assert.equal(metadataAnswer(edge, 'GET', `${path}?x=1`)?.status, 200);
  assert.equal(metadataAnswer(edge, 'GET', `https://api.example.com${path}`)?.status, 200);
  assert.equal(metadataAnswer(edge, 'HEAD', path)?.body, '');
  assert.equal(metadataAnswer(edge, 'OPTIONS', path)?.status, 204);
  for (const [method, target] of [
    ['POST', path],
    ['GET', '/.well-known/oauth-protected-resource'],
    ['GET', `${path}/x`],
    ['GET', '/orders'],
  ])
    assert.equal(metadataAnswer(edge, method as string, target as string), undefined, `${method} ${target}`);
  assert.equal(
    metadataAnswer(edgeOf({ audience: 'orders' }), 'GET', '/.well-known/oauth-protected-resource'),
    undefined,
  );
});

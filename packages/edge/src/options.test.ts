import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEdge } from './create-edge.ts';
import type { EdgeOptions } from './options.ts';

const good: EdgeOptions = {
  issuer: 'https://id.example.com',
  audience: 'orders',
  clientId: 'orders-api',
  clientSecret: 'x'.repeat(32),
};

test('options that cannot work, or would leave the edge silently open, are refused with what to do', () => {
  const cases: [Partial<EdgeOptions>, RegExp][] = [
    [{ audience: '' }, /audience must name this API/],
    [{ audience: undefined as never }, /audience must name this API/],
    [{ audience: [] }, /audience must name this API/],
    [{ audience: ['', ''] }, /audience must name this API/],
    [{ issuer: 'http://id.example.com' }, /must be https/],
    [{ issuer: 'https://id.example.com?a=b' }, /neither query nor fragment/],
    [{ issuer: 'not a url' }, /issuer must be a whole URL/],
    [{ issuer: undefined as never }, /issuer must be a whole URL .* got undefined/],
    [{ publicUrl: '' }, /publicUrl must be a whole URL/],
    [{ publicUrl: 'api.example.com' }, /publicUrl must be a whole URL/],
    [{ publicUrl: 'localhost:3000' }, /publicUrl must be a whole URL/],
    [{ resource: 'urn:orders' }, /resource must be a whole URL/],
    [{ feedUrl: 'not a url' }, /"not a url" must be https/],
    [{ jwksUri: 'http://id.example.com/jwks' }, /must be https/],
    [{ introspectionEndpoint: 'http://id.example.com/introspect' }, /must be https/],
    [{ feedUrls: ['https://a.example.com', 'http://b.example.com'] }, /"http:\/\/b.example.com" must be https/],
    [{ jwksUri: 'file:///etc/keys', allowInsecureRequests: true }, /must be https/],
    [{ clientSecret: undefined }, /allowRevokedUntilExpiry/],
    [{ clientSecret: '' }, /allowRevokedUntilExpiry/],
    [{ clientId: '' }, /allowRevokedUntilExpiry/],
    [{ skew: -1 }, /skew/],
    [{ skew: 61 }, /skew/],
    [{ skew: Number.NaN }, /skew/],
    [{ staleness: { maxAge: 2 } }, /maxAge must be at least 3/],
    [{ staleness: { maxAge: Number.NaN } }, /maxAge must be at least 3/],
    [{ staleness: { maxAge: Number.POSITIVE_INFINITY } }, /maxAge must be at least 3 seconds, and finite/],
    [{ dpop: { proofLifetime: Number.NaN } }, /dpop.proofLifetime must be at least 1 seconds/],
    [{ dpop: { proofLifetime: 0 } }, /dpop.proofLifetime/],
    [{ dpop: { replayCapacity: Number.NaN } }, /dpop.replayCapacity/],
    [{ revocationCapacity: Number.NaN }, /revocationCapacity/],
    [{ introspection: { cacheSeconds: Number.POSITIVE_INFINITY } }, /introspection.cacheSeconds/],
    [{ introspection: { timeout: Number.NaN } }, /introspection.timeout/],
    [{ introspection: { mostInFlight: Number.NaN } }, /introspection.mostInFlight/],
    [{ staleness: { policy: 'open' as never } }, /must be "introspect", "refuse" or/],
    [{ staleness: { policy: { serve: Number.POSITIVE_INFINITY } } }, /must be "introspect", "refuse" or/],
    [{ staleness: { policy: { serve: -1 } } }, /must be "introspect", "refuse" or/],
    [{ sharedSecret: new Uint8Array(16) }, /at least 32 bytes/],
    [{ dpop: { nonceSecret: new Uint8Array(16) } }, /at least 32 bytes/],
  ];
  for (const [change, expected] of cases)
    assert.throws(
      () => createEdge({ ...good, ...change }),
      { name: 'TypeError', message: expected },
      JSON.stringify(change),
    );
});

test('a good set of options is taken, also on loopback and, named, on plain http', () => {
  createEdge(good);
  createEdge({ ...good, issuer: 'http://localhost:3000' });
  createEdge({ ...good, issuer: 'http://id.test', allowInsecureRequests: true });
  createEdge({ issuer: good.issuer, audience: ['a', 'b'], allowRevokedUntilExpiry: true });
});

test('a secret does not show in the status or in an error', () => {
  const edge = createEdge({ ...good, clientSecret: 'very-secret-very-secret' });
  assert.equal(JSON.stringify(edge.status()).includes('very-secret'), false);
  assert.throws(
    () => createEdge({ ...good, clientSecret: 'very-secret-very-secret', skew: 99 }),
    (error: Error) => !error.message.includes('very-secret'),
  );
});

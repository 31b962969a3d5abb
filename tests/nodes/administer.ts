import assert from 'node:assert/strict';
import { postAs } from '../apps.ts';
import { secret } from '../test-server.ts';
import type { Nodes, ServerNode } from './nodes.ts';

/** A client that may administer, for the settings of the nodes. */
export const operator = {
  client_id: 'operator',
  client_secret: secret,
  grant_types: ['client_credentials'],
  scope: 'tessera:clients:write tessera:sessions:write tessera:keys:write tessera:keys:read',
};

/** Posts to the admin API of that node. */
export async function administer(nodes: Pick<Nodes, 'issuer'>, node: ServerNode, path: string, body: object = {}) {
  const form = { grant_type: 'client_credentials', resource: `${nodes.issuer}/admin/api` };
  const { body: answer } = await postAs(node.reach, '/token', 'operator', form);
  const response = await fetch(`${node.url}/admin/api${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${answer.access_token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
}

/** An access token of a client that acts for itself. */
export async function machineToken(node: ServerNode): Promise<string> {
  const { status, body } = await postAs(node.reach, '/token', 'machine', { grant_type: 'client_credentials' });
  assert.equal(status, 200);
  return String(body.access_token);
}

/** The id of the key that signed a token. */
export function kidOf(token: string): string {
  return (JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString()) as { kid: string }).kid;
}

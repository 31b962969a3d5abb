import { listKeys, revokeKey, rotateKeys, rotateKeysShape } from '../keys.ts';
import { keysAnswer } from './answers.ts';
import { type AnyOperation, operation } from './operation-route.ts';
import { exampleIds, id } from './parameters.ts';

const tag = 'Keys';
const answer = { status: 200, description: 'All signing keys as they are now.', schema: keysAnswer } as const;

/** Signing keys: `/admin/api/keys`. */
export const keyOperations: AnyOperation[] = [
  operation({
    id: 'listKeys',
    method: 'get',
    path: '/keys',
    scope: 'tessera:keys:read',
    tag,
    summary: 'List signing keys',
    answer,
    refusals: [],
    run: ({ context }) => listKeys(context),
  }),
  operation({
    id: 'rotateKeys',
    method: 'post',
    path: '/keys/rotate',
    scope: 'tessera:keys:write',
    tag,
    summary: 'Rotate signing keys',
    description:
      'Announces successors, which sign after the configured time, or lets them sign at once. No request fails either way: verifiers fetch the key set when they meet an unknown key.',
    body: { shape: rotateKeysShape, example: { algorithms: ['ES256'], atOnce: false }, optional: true },
    answer,
    refusals: [],
    run: ({ context, actor, body }) => rotateKeys(context, actor, body),
  }),
  operation({
    id: 'revokeKey',
    method: 'post',
    path: '/keys/{kid}/revoke',
    scope: 'tessera:keys:write',
    tag,
    summary: 'Revoke a compromised signing key',
    description:
      'It is no longer published, and whatever it signed is refused, here at once and at the edges within a second. Its successor signs at once.',
    params: { kid: id(exampleIds.kid, "The key's id.") },
    answer,
    refusals: [404],
    run: ({ context, actor, params }) => revokeKey(context, actor, params.kid),
  }),
];

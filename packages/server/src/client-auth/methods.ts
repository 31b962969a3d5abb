import type { Awaitable } from '../awaitable.ts';
import type { Context } from '../context.ts';
import type { Input } from '../http/message.ts';
import type { Parameters } from '../http/parameters.ts';
import type { Refusal } from '../http/refusal.ts';
import type { ClientAuthMethod, ClientRecord } from '../store/records.ts';
import { clientSecretBasic } from './client-secret-basic.ts';
import { clientSecretPost } from './client-secret-post.ts';
import { none } from './none.ts';
import { privateKeyJwt } from './private-key-jwt.ts';

/** What a client sent to prove who it is, under one method. */
export type ClientCredentials = {
  clientId: string;
  check(context: Context, client: ClientRecord | undefined): Awaitable<Refusal | undefined>;
};

/**
 * One way for a client to authenticate. `read`: the credentials of this method in a request; undefined when the request has none; a
 * refusal when they are malformed.
 */
export type ClientAuthMethodReader = {
  method: ClientAuthMethod;
  read(input: Input, parameters: Parameters): ClientCredentials | Refusal | undefined;
};

/** All methods; `none` last, because every other one may send `client_id` too. */
export const clientAuthMethods: readonly ClientAuthMethodReader[] = [
  privateKeyJwt,
  clientSecretBasic,
  clientSecretPost,
  none,
];

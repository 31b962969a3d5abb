// The package brings no types; these are the parts the peer uses. Source: https://github.com/panva/node-oidc-provider/blob/main/docs/README.md
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  /** What the adapter is given and gives back: a model's payload, JSON. */
  export type AdapterPayload = Record<string, unknown> & { grantId?: string; userCode?: string; uid?: string };

  export interface Adapter {
    upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void>;
    find(id: string): Promise<AdapterPayload | undefined>;
    findByUserCode(userCode: string): Promise<AdapterPayload | undefined>;
    findByUid(uid: string): Promise<AdapterPayload | undefined>;
    consume(id: string): Promise<void>;
    destroy(id: string): Promise<void>;
    revokeByGrantId(grantId: string): Promise<void>;
  }

  export interface Grant {
    addOIDCScope(scope: string): void;
    addResourceScope(resource: string, scope: string): void;
    save(): Promise<string>;
  }

  export interface Session {
    id: string;
    loginAccount(details: { accountId: string; loginTs: number; amr: string[] }): void;
    save(ttl: number): Promise<string>;
  }

  /** The context of a request, as far as the peer's configuration reads it. */
  export interface OidcContext {
    oidc: {
      provider: Provider;
      client: { clientId: string; grantTypeAllowed(type: string): boolean };
      session: { accountId: string; grantIdFor(clientId: string): string | undefined };
      result?: { consent?: { grantId?: string } };
    };
  }

  export interface ResourceServerInfo {
    scope: string;
    audience: string;
    accessTokenTTL: number;
    accessTokenFormat: 'jwt' | 'opaque';
    jwt?: { sign: { alg: string } };
  }

  export class Provider {
    constructor(issuer: string, configuration: Record<string, unknown>);
    readonly Grant: (new (properties: {
      accountId: string;
      clientId: string;
    }) => Grant) & {
      find(id: string): Promise<Grant | undefined>;
    };
    readonly Session: new () => Session;
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<{ uid: string }>;
    interactionFinished(
      request: IncomingMessage,
      response: ServerResponse,
      result: { login: { accountId: string; amr: string[] } },
    ): Promise<void>;
  }

  export default Provider;
}

import type * as oauth from 'oauth4webapi';
import { DpopNonces } from './dpop-nonces.ts';
import type { RetryPolicy } from './patient-request.ts';
import type { ClientRuntime } from './runtime.ts';
import type { Seconds } from './seconds.ts';
import { ServerClock } from './server-clock.ts';
import { discoverServer } from './server-metadata.ts';

/** What every request to the authorization server needs, put together once per client. */
export type ProtocolContext = {
  runtime: ClientRuntime;
  issuer: URL;
  client_id: string;
  /** How far this device's clock may be off when an ID token's times are checked. */
  clockTolerance: Seconds;
  retry: RetryPolicy;
  nonces: DpopNonces;
  clock: ServerClock;
  /** The server's metadata, fetched on first use. */
  server(): Promise<oauth.AuthorizationServer>;
};

/** What `createProtocolContext` needs. */
export type ProtocolContextInput = Pick<
  ProtocolContext,
  'runtime' | 'issuer' | 'client_id' | 'clockTolerance' | 'retry'
>;

/** Puts the context together. Metadata is fetched once per page; a failed attempt is forgotten, so the next call tries again. */
export function createProtocolContext(input: ProtocolContextInput): ProtocolContext {
  let metadata: Promise<oauth.AuthorizationServer> | undefined;
  return {
    ...input,
    nonces: new DpopNonces(),
    clock: new ServerClock(() => input.runtime.now()),
    server() {
      metadata ??= discoverServer(input).catch((error: unknown) => {
        metadata = undefined;
        throw error;
      });
      return metadata;
    },
  };
}

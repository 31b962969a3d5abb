import type { TestContext } from 'node:test';
import { type ErrorCode, isClientError, TokenClient, type TokenClientOptions } from '../src/core/index.ts';
import { TestAuthorizationServer } from './authorization-server.ts';

/** A token client against a test server, both on one clock the test moves. */
export type Stage = {
  server: TestAuthorizationServer;
  client: TokenClient;
  /** Moves the clock of client and server. */
  pass(seconds: number): void;
  /** The pauses the client made between retries, in milliseconds. */
  waits: number[];
  /** Codes of the errors onSignInRequired brought. */
  required: string[];
  /** Reasons onChange brought. */
  changes: string[];
};

export const redirect_uri = 'http://localhost/callback';

/** Starts a server and a client that nobody has signed in with. */
export async function makeStage(t: TestContext, options: Partial<TokenClientOptions> = {}): Promise<Stage> {
  const server = await TestAuthorizationServer.start();
  t.after(() => server.stop());
  let now = 1_900_000_000;
  server.now = () => now;
  const pass = (seconds: number) => {
    now += seconds;
  };
  const waits: number[] = [];
  const client = new TokenClient({
    issuer: server.origin,
    client_id: 'web',
    ...options,
    runtime: {
      now: () => now,
      wait: async (durationMs) => void waits.push(durationMs),
      ...options.runtime,
    },
  });
  const stage: Stage = { server, client, waits, required: [], changes: [], pass };
  client.onSignInRequired((error) => stage.required.push(error.code));
  client.onChange(({ reason }) => stage.changes.push(reason));
  return stage;
}

/** Signs in as `alice`, the way a runtime without redirects does. */
export async function signIn(
  stage: { client: TokenClient; server: TestAuthorizationServer },
  parameters = {},
): Promise<void> {
  const { url, pending } = await stage.client.createAuthorizationRequest(redirect_uri, parameters);
  const back = await stage.server.approve(url);
  await stage.client.redeemAuthorizationResponse(pending, back.searchParams);
}

/** Starts a stage and signs in. */
export async function makeSignedInStage(t: TestContext, options: Partial<TokenClientOptions> = {}): Promise<Stage> {
  const stage = await makeStage(t, options);
  await signIn(stage);
  return stage;
}

/** Matches the `sign_in_required` error that carries a certain reason as its cause. */
export function becauseOf(reason: ErrorCode): (error: unknown) => boolean {
  return (error) => isClientError(error, 'sign_in_required') && isClientError(error.cause, reason);
}

import * as oauth from 'oauth4webapi';
import { completeFetch, type RetryPolicy, requestPatiently } from './patient-request.ts';
import type { ClientRuntime } from './runtime.ts';
import type { Seconds } from './seconds.ts';
import type { ServerClock } from './server-clock.ts';

/** The client as oauth4webapi wants it. That library reads the system's clock itself; the skew moves its reading onto the server's. */
export function oauthClient(input: {
  clock: Pick<ServerClock, 'now'>;
  client_id: string;
  clockTolerance: Seconds;
}): oauth.Client {
  return {
    client_id: input.client_id,
    // Read anew each time: the answer that is checked may be the one that told the time.
    get [oauth.clockSkew]() {
      return input.clock.now() - Math.floor(Date.now() / 1000);
    },
    [oauth.clockTolerance]: input.clockTolerance,
  };
}

/** The options of a single request. Plain http is let through here because `discoverServer` has checked every endpoint. */
export function oauthRequestOptions(runtime: ClientRuntime, signal: AbortSignal) {
  const fetch = completeFetch(runtime);
  return {
    signal,
    [oauth.customFetch]: (url: string, init: object) => fetch(url, init),
    [oauth.allowInsecureRequests]: true,
  };
}

/** The options of a request that oauth4webapi makes by itself, for the server's keys: patient, because the code is already spent by then. */
export function oauthPatientOptions(context: { runtime: ClientRuntime; retry: RetryPolicy }) {
  const fetch = completeFetch(context.runtime);
  return {
    [oauth.customFetch]: (url: string, init: object) =>
      requestPatiently(context.runtime, context.retry, (signal) => fetch(url, { ...init, signal })),
    [oauth.allowInsecureRequests]: true,
  };
}

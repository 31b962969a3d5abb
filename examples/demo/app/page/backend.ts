import type { SessionView } from '../session-view.ts';
import type { ThiefOutcome } from '../thief.ts';
import { client } from './clients.ts';

/** Shows the backend a good access token once; from then on it lets this browser read the session's story, also after the end. */
export async function watchSession(): Promise<void> {
  await client.fetch('/backend/watch', { method: 'POST' }).catch(() => undefined);
}

/** The session as it stands at the server; undefined when the server is away, or when nobody is signed in and none was watched. */
export async function readSession(): Promise<SessionView | undefined> {
  let answer = await askForSession();
  // The backend remembers in memory alone what it may show: after a restart it wants to see a token again.
  if (answer && 'isWatched' in answer && (await client.getTokens()) !== undefined) {
    await watchSession();
    answer = await askForSession();
  }
  return answer === undefined || 'isWatched' in answer ? undefined : answer;
}

async function askForSession(): Promise<SessionView | { isWatched: false } | undefined> {
  const response = await fetch('/backend/session').catch(() => undefined);
  return response?.ok ? response.json() : undefined;
}

/** Has the operator end this session. */
export async function endThisSession(): Promise<void> {
  await post('/backend/end-session');
}

/** Has all sessions of the user ended; answers how many. */
export async function endAllSessions(): Promise<number> {
  return ((await post('/backend/sign-out-everywhere')) as { sessions: number }).sessions;
}

/** Hands a refresh token to the thief, who tries it from another machine. */
export async function handToThief(refresh_token: string, client_id: string): Promise<ThiefOutcome> {
  return (await post('/backend/thief', { refresh_token, client_id })) as ThiefOutcome;
}

async function post(path: string, body?: object): Promise<unknown> {
  const init = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await client.fetch(path, { method: 'POST', ...init });
  if (!response.ok) throw new Error(`the page's backend answered ${response.status}`);
  return response.json();
}

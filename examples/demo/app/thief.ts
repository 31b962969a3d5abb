/** How the server answered the thief. */
export type ThiefOutcome = { status: number; error: string | undefined; refusalId: string | undefined };

const thiefsDevice = 'Unknown-laptop/1.0';

/**
 * Plays the thief: another machine presents a copy of a refresh token, as whoever stole it would. It has the token and the app's public name, and no key.
 * What it would get it throws away.
 */
export async function presentAsThief(
  issuer: string,
  stolen: Record<string, unknown> | undefined,
): Promise<ThiefOutcome> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { 'user-agent': thiefsDevice },
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: String(stolen?.refresh_token),
      client_id: String(stolen?.client_id),
    }),
    signal: AbortSignal.timeout(5000),
  });
  const body = (await response.json()) as { error?: string; refusal_id?: string };
  return { status: response.status, error: body.error, refusalId: body.refusal_id };
}

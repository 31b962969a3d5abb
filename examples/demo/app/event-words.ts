import type { AdminEvent } from './admin-api.ts';
import { nameDevice } from './device-name.ts';
import type { Tone } from './session-view.ts';

/** An event in words: what happened, and what there is to know about it. */
export type EventWords = { text: string; detail: string | undefined; tone: Tone };

const endings: Record<string, string> = {
  user_signed_out: 'you signed out',
  client_signed_out: 'an app signed you out',
  signed_out_everywhere: 'you signed out everywhere',
  password_changed: 'the password was changed',
  admin: 'the operator ended it',
  refresh_reused: 'a spent refresh token came again: somebody has a copy',
  code_reused: 'a sign-in code came a second time',
  token_revoked: 'the app gave its tokens back',
  replaced: 'somebody else signed in here',
  idle: 'it was not used for too long',
  expired: 'it reached its longest life',
  consent_withdrawn: 'access was taken back',
};

const refusals: Record<string, string> = {
  refresh_reused: 'This token was spent long ago, so somebody has a copy. Its grant ended.',
  refresh_superseded: 'An older token, but only just: a slow tab, not a thief. Nothing ended.',
  refresh_foreign: 'The token belongs to another app. Nothing ended.',
  dpop_missing: 'The token is bound to a key, and no proof of the key came. Nothing ended.',
  dpop_key_mismatch: 'The token is bound to another key. Nothing ended.',
  session_ended: 'The session behind it has ended.',
  grant_ended: 'The grant behind it has ended.',
};

/** Why something ended, as the second half of a sentence. */
export function describeEnding(reason: string | null): string {
  return endings[reason ?? ''] ?? reason?.replaceAll('_', ' ') ?? 'no reason was given';
}

/** Says an event in one plain sentence. `app` is the name of the app it is about. Pure. */
export function describeEvent({ type, data = {} }: AdminEvent, app: string): EventWords {
  const words = (text: string, detail?: string, tone: Tone = 'usual') => ({ text, detail, tone });
  const because = describeEnding(textOf(data.reason) ?? null);
  switch (type) {
    case 'session.started':
      return words('You signed in', `with a password, ${deviceOf(data.origin)}`);
    case 'session.renewed':
      return words('You signed in again', `same browser, same session, ${deviceOf(data.origin)}`);
    case 'session.ended':
      return words('The session ended', `because ${because}`, 'ended');
    case 'grant.started':
      return words(`${app} came in`, scopesOf(data.scopes));
    case 'grant.ended':
      return words(`${app} is out`, `because ${because}`, 'ended');
    case 'grant.origin_changed':
      return words(`${app} moved`, `now ${deviceOf(data.now)}`);
    case 'refresh.reused':
      return words(
        `A stolen token of ${app} came`,
        `${deviceOf(data.presentedFrom)}; its owner was last seen ${deviceOf(data.lastUsedFrom)}`,
        'refused',
      );
    case 'request.refused':
      return words(`${app} was refused`, refusalOf(data), 'refused');
    case 'consent.granted':
      return words(`You allowed ${app} access`, scopesOf(data.scopes));
    default:
      return words(`${type.replaceAll(/[._]/g, ' ')}: ${app}`);
  }
}

function refusalOf({ reason, description, origin }: Record<string, unknown>): string {
  const known = refusals[textOf(reason) ?? ''] ?? `${textOf(description) ?? 'no reason was given'}.`;
  return `${capital(known)} ${capital(deviceOf(origin))}.`;
}

function deviceOf(origin: unknown): string {
  const { userAgent = '', ip = '' } = (origin ?? {}) as { userAgent?: string; ip?: string };
  return `from ${nameDevice(userAgent)}, ${ip}`;
}

function scopesOf(scopes: unknown): string | undefined {
  return Array.isArray(scopes) && scopes.length > 0 ? `for ${scopes.join(', ')}` : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

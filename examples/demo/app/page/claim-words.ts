import { timeOfDay } from './words.ts';

/** What the members of the token's header mean. Source: RFC 7515 section 4.1, RFC 9068 section 2.1. */
export const headerWords: Readonly<Record<string, string>> = {
  typ: 'It is an access token, and cannot pass for anything else.',
  alg: 'How it is signed.',
  kid: 'Which of the public keys checks it.',
};

/** Claims that answer one question, each with its sentence. */
export type ClaimGroup = { question: string; words: Readonly<Record<string, string>> };

/**
 * What the claims of an access token mean, one plain sentence each, by the question they answer.
 * Source: RFC 9068 section 2.2, RFC 7519 section 4.1, RFC 9449 section 6.
 */
export const claimGroups: readonly ClaimGroup[] = [
  {
    question: 'Who may do what, and where',
    words: {
      sub: 'You, by a number that never changes.',
      client_id: 'The app it was given to.',
      aud: 'Who may accept it. Every other API refuses it.',
      scope: 'What the app may do with it.',
      roles: 'Your role at these APIs.',
      permissions: 'What that role lets you do. The API looks here and asks nobody.',
    },
  },
  {
    question: 'What stands behind it',
    words: {
      sid: 'The live session. When it ends, this token is dead everywhere.',
      grant_id: 'What this app got in that session: one row, however often it refreshes.',
      cnf: 'The key it is bound to. A copy without the key is worth nothing.',
      iss: 'Who made it: this server.',
      jti: 'Its own number, to tell it from all others.',
    },
  },
  {
    question: 'Since when, until when',
    words: {
      auth_time: 'When you signed in.',
      iat: 'When it was made.',
      nbf: 'From when on it is good.',
      exp: 'When it dies by itself.',
    },
  },
  {
    question: 'How you signed in',
    words: { amr: 'By password.', acr: 'How sure that makes the server.' },
  },
];

const times = new Set(['iat', 'nbf', 'exp', 'auth_time']);

/** A claim's value as text: times with the time of day, lists with spaces, the key by its fingerprint, the rest as it is. */
export function showValue(name: string, value: unknown): string {
  if (times.has(name) && typeof value === 'number') return `${value} = ${timeOfDay(value)}`;
  if (Array.isArray(value)) return value.join(' ');
  if (name === 'cnf') return `jkt ${(value as { jkt?: string }).jkt}`;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

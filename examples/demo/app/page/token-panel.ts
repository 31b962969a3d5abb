import type { GrantView } from '../session-view.ts';
import { claimGroups, headerWords, showValue } from './claim-words.ts';
import { element, place } from './element.ts';
import type { HeldToken } from './held-token.ts';
import { duration, now, timeOfDay } from './words.ts';

let shown = '';

/**
 * Shows what the app holds: the countdown, the refresh token's generation, and the access token part by part. Leaves the page alone when nothing changed, and
 * as it came when there is nothing.
 */
export function showToken(held: HeldToken | undefined, grant: GrantView | undefined): void {
  const text = JSON.stringify([held, grant?.generation]);
  if (!held || text === shown) return;
  shown = text;
  place('token').replaceChildren(
    element('div', { class: 'tiles' }, lifeTile(held), refreshTokenTile(held, grant)),
    element(
      'div',
      { class: 'rule stack' },
      element('h3', {}, 'The access token, part by part'),
      element('p', { class: 'small' }, 'Everybody can read it, nobody can change it.'),
    ),
    part('Header', claimsList(undefined, held.decoded.header, headerWords)),
    part('Claims', ...claimGroups.map(({ question, words }) => claimsList(question, held.decoded.claims, words))),
    part(
      'Signature',
      element('p', { class: 'mono value' }, `${held.signature.slice(0, 32)}…`),
      element('p', { class: 'small' }, 'Anybody can check it with a public key. Only the server can make it.'),
    ),
  );
  tickToken(held);
}

/** Moves the countdown. */
export function tickToken(held: HeldToken | undefined): void {
  if (!held || !document.getElementById('countdown')) return;
  const left = Math.max(0, held.expiresAt - now());
  const isRefused = held.refusedAt !== undefined;
  const state = isRefused ? 'refused' : left > 0 ? 'live' : 'expired';
  place('life').dataset.state = state === 'live' && left < 30 ? 'ending' : state;
  const wouldLeft = isRefused && left > 0 ? ` By itself it would live ${duration(left)} more.` : '';
  const [countdown, means] = {
    live: [duration(left), 'until it dies by itself'],
    expired: ['Expired', 'It died by itself. The next call gets a new one first, without a word.'],
    refused: ['Refused', `Refused everywhere since ${timeOfDay(held.refusedAt ?? 0)}.${wouldLeft}`],
  }[state] as [string, string];
  place('countdown').textContent = countdown;
  place('countdown-means').textContent = means;
  (place('life-left') as HTMLProgressElement).value = left;
}

function lifeTile(held: HeldToken): HTMLElement {
  return element(
    'div',
    { class: 'life', id: 'life' },
    element('h3', {}, 'Access token'),
    element('p', { class: 'big mono', id: 'countdown' }),
    element('progress', { id: 'life-left', max: String(held.lifetime), 'aria-label': 'What is left of its life' }),
    element('p', { class: 'small', id: 'countdown-means' }),
  );
}

function refreshTokenTile(held: HeldToken, grant: GrantView | undefined): HTMLElement {
  const isRefused = held.refusedAt !== undefined;
  const means = isRefused ? 'refused as well' : 'counts up with each use; never shown here';
  return element(
    'div',
    { class: 'life', 'data-state': isRefused ? 'refused' : 'live' },
    element('h3', {}, 'Refresh token'),
    element('p', { class: 'big mono', id: 'generation' }, `Generation ${grant?.generation ?? '?'}`),
    element('p', { class: 'small' }, means),
  );
}

function part(name: string, ...content: HTMLElement[]): HTMLElement {
  return element('div', { class: 'part' }, element('h4', { class: 'mono' }, name), ...content);
}

/** The claims of one group, as far as the token has them. */
function claimsList(
  question: string | undefined,
  claims: Record<string, unknown>,
  words: Readonly<Record<string, string>>,
): HTMLElement {
  const rows = Object.entries(words)
    .filter(([name]) => claims[name] !== undefined)
    .map(([name, sentence]) =>
      element(
        'div',
        {},
        element('dt', { class: 'mono' }, name),
        element(
          'dd',
          {},
          element('span', { class: 'mono value' }, showValue(name, claims[name])),
          element('span', { class: 'small' }, sentence),
        ),
      ),
    );
  return element('div', { class: 'claims' }, question && element('h5', {}, question), element('dl', {}, ...rows));
}

import type { Language } from './language.ts';
import { html, type Markup } from './markup.ts';
import { groupScopes, type ScopeLine, type ScopeModel } from './scope-words.ts';

/** A list of scopes under the names of what they belong to: words for everybody, the technical name beside them in small print. */
export function scopeList(scopes: readonly ScopeModel[], language: Language): Markup {
  const groups = groupScopes(scopes, language);
  return html`<div class="scopes">${groups.map(
    ({ heading, lines }) => html`<div><h3><bdi>${heading}</bdi></h3><ul>${lines.map(scopeItem)}</ul></div>`,
  )}</div>`;
}

function scopeItem({ scope, words }: ScopeLine): Markup {
  if (words === undefined) return html`<li><span class="mono">${scope}</span></li>`;
  return html`<li><bdi>${words}</bdi> <span class="small mono">${scope}</span></li>`;
}

import { type Language, wordsOf } from './language.ts';
import { landingOf, webLink } from './link.ts';
import { html, type Markup, type MarkupValue } from './markup.ts';
import { oncePer } from './once-per.ts';
import { fill } from './words.ts';

/** The app that asks, as registered: its name (or its `client_id` where it has none), the redirect it will get, and the links it shows. */
export type AskingClient = {
  readonly client_name: string;
  /** Absent where nobody is redirected, as in the device flow. */
  readonly redirect_uri?: string | undefined;
  readonly policy_uri?: string | undefined;
  readonly tos_uri?: string | undefined;
};

const letters = oncePer((_: undefined) => new Intl.Segmenter());

/** Who is asking, in `sentence`, and where one will land. The name comes from the client, so it never stands without the place. */
export function askingBlock(client: AskingClient, sentence: Markup, language: Language): Markup {
  const landing = client.redirect_uri === undefined ? undefined : landingWords(client.redirect_uri, language);
  return html`<div class="asking">${letterTile(client.client_name)}<div><p>${sentence}</p>${landing && html`<p class="small">${landing}</p>`}</div></div>`;
}

/** A tile with the first letter of a name, in place of a logo from elsewhere. */
export function letterTile(name: string): Markup {
  const [first] = letters(undefined).segment(name.trim());
  return html`<span class="tile" aria-hidden="true">${(first?.segment ?? '?').toUpperCase()}</span>`;
}

/** A name from outside: set apart, so that its writing direction or its letters don't reorder the sentence around it. */
export function nameOf(name: string): Markup {
  return html`<bdi class="name">${name}</bdi>`;
}

/** The client's links about privacy and terms; nothing when it registered none. */
export function clientLinks(client: AskingClient, language: Language): MarkupValue {
  const words = wordsOf(language).asking;
  const links = [
    [webLink(client.policy_uri), words.policy] as const,
    [webLink(client.tos_uri), words.terms] as const,
  ].filter(([address]) => address !== undefined);
  if (links.length === 0) return undefined;
  const items = links.map(
    ([address, text]) => html`<li><a href="${address}" rel="noopener noreferrer">${text}</a></li>`,
  );
  return html`<div class="links small"><p>${fill(words.links, { client: html`<bdi>${client.client_name}</bdi>` })}</p><ul>${items}</ul></div>`;
}

function landingWords(redirectUri: string, language: Language): Markup | undefined {
  const words = wordsOf(language).asking;
  const landing = landingOf(redirectUri);
  if (landing === undefined) return undefined;
  if (landing.kind === 'program') return html`${words.landsInProgram}`;
  const place = html`<span class="mono">${landing.place}</span>`;
  return fill(landing.kind === 'host' ? words.landsOnHost : words.landsInApp, { place });
}

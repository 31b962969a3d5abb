import { nameOf } from './asking.ts';
import { wordsOf } from './language.ts';
import { layout } from './layout.ts';
import { appLink } from './link.ts';
import { html, type MarkupValue } from './markup.ts';
import type { PageContext } from './page-context.ts';
import { fill, fillText, pluralForm } from './words.ts';

/** What the signed-out page shows. */
export type SignedOutPageModel = {
  /** How many apps ended. */
  readonly apps: number;
  /** How many devices ended, after signing out everywhere; absent when only this one did. */
  readonly devices?: number | undefined;
  /** How many of the apps have not confirmed yet. */
  readonly pendingApps?: number | undefined;
  /** The app one came from, with a registered address to go back to. */
  readonly back?: { readonly client_name: string; readonly uri: string } | undefined;
  readonly signInUrl: string;
};

/** Says what has ended. Source: OpenID Connect RP-Initiated Logout 1.0 section 3. */
export function signedOutPage(model: SignedOutPageModel, page: PageContext): string {
  const words = wordsOf(page.language).signedOut;
  return layout(page, {
    title: model.back ? fillText(words.title, { client: model.back.client_name }) : words.heading,
    main: html`<div class="card">
<h1>${words.heading}</h1>
<div class="stack">${endedSentences(model, page).map((sentence) => html`<p>${sentence}</p>`)}</div>
<div class="buttons">${backLink(model, page)}<a class="button secondary" href="${model.signInUrl}">${words.signIn}</a></div>
</div>`,
  });
}

function endedSentences(model: SignedOutPageModel, { language }: PageContext): string[] {
  const words = wordsOf(language).signedOut;
  const { apps, devices, pendingApps = 0 } = model;
  return [
    devices === undefined ? words.thisDevice : pluralForm(words.devices, devices, language),
    ...(apps > 0 ? [pluralForm(words.apps, apps, language)] : []),
    ...(pendingApps > 0 ? [pluralForm(words.pending, pendingApps, language)] : []),
  ];
}

function backLink({ back }: SignedOutPageModel, { language }: PageContext): MarkupValue {
  const address = appLink(back?.uri);
  if (back === undefined || address === undefined) return undefined;
  const words = fill(wordsOf(language).signedOut.back, { client: nameOf(back.client_name) });
  return html`<a class="button primary" href="${address}"><span>${words}</span></a>`;
}

import { type AskingClient, askingBlock, nameOf } from './asking.ts';
import { decisionButton, type FormModel, form } from './form.ts';
import { wordsOf } from './language.ts';
import { layout } from './layout.ts';
import { html, type MarkupValue } from './markup.ts';
import type { PageContext } from './page-context.ts';
import { fill, fillText, pluralForm } from './words.ts';

/** What the sign-out page shows. Its form sends `decision`: `sign-out` or `stay`. */
export type SignOutPageModel = FormModel & {
  /** Who asks; absent when one came by oneself. Its `redirect_uri` is the registered `post_logout_redirect_uri`, if it sent one. */
  readonly client?: AskingClient | undefined;
  readonly account: string;
  /** How many apps end with this session. */
  readonly apps: number;
  /** On how many other devices the user stays signed in. */
  readonly otherDevices: number;
  /** The account page, shown when there are other devices. */
  readonly accountUrl: string;
};

/** Asks before a session ends, and says what ends with it. Source: OpenID Connect RP-Initiated Logout 1.0 section 2. */
export function signOutPage(model: SignOutPageModel, page: PageContext): string {
  const words = wordsOf(page.language).signOut;
  const { client } = model;
  const confirm = model.apps > 0 ? pluralForm(words.submitApps, model.apps, page.language) : words.submit;
  return layout(page, {
    title: client ? fillText(words.title, { client: client.client_name }) : words.heading,
    main: html`<div class="card">
<h1>${words.heading}</h1>
${client && askingBlock(client, fill(words.asks, { client: nameOf(client.client_name) }), page.language)}
<p>${fill(words.signedInAs, { account: nameOf(model.account) })}</p>
${form(
  model,
  html`<div class="buttons">${decisionButton('sign-out', 'primary', confirm)}${decisionButton('stay', 'secondary', words.stay)}</div>`,
)}
${model.otherDevices > 0 && others(model, page)}
</div>`,
  });
}

function others(model: SignOutPageModel, { language }: PageContext): MarkupValue {
  const words = wordsOf(language).signOut;
  return html`<div class="stack rule"><p>${pluralForm(words.otherDevices, model.otherDevices, language)}</p><p><a href="${model.accountUrl}">${words.account}</a></p></div>`;
}

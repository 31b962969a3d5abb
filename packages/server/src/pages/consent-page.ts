import { type AskingClient, askingBlock, clientLinks, nameOf } from './asking.ts';
import { decisionButton, type FormModel, form } from './form.ts';
import { wordsOf } from './language.ts';
import { layout } from './layout.ts';
import { html } from './markup.ts';
import type { PageContext } from './page-context.ts';
import { scopeList } from './scope-list.ts';
import type { ScopeModel } from './scope-words.ts';
import { fill, fillText } from './words.ts';

/** What the consent page shows. Its form sends `decision`: `allow`, `deny` or `switch`. */
export type ConsentPageModel = FormModel & {
  readonly client: AskingClient;
  /** The signed-in user, in a form the user knows: name, username or e-mail. */
  readonly account: string;
  /** Exactly what is granted by `allow`, in the order to show it. */
  readonly scopes: readonly ScopeModel[];
};

/** Asks whether an app may do what it asks for. Source: OpenID Connect Core 1.0 section 3.1.2.4, OAuth 2.1 section 3.2. */
export function consentPage(model: ConsentPageModel, page: PageContext): string {
  const words = wordsOf(page.language).consent;
  const client = nameOf(model.client.client_name);
  return layout(page, {
    title: fillText(words.title, { client: model.client.client_name }),
    main: html`<div class="card">
<h1>${words.heading}</h1>
${askingBlock(model.client, fill(words.asks, { client }), page.language)}
<p class="rule">${fill(words.signedInAs, { account: nameOf(model.account) })}</p>
<div class="section"><h2 class="modest">${words.wants}</h2>${scopeList(model.scopes, page.language)}</div>
${form(model, [
  html`<p class="small">${words.later}</p>`,
  html`<div class="buttons pair">${decisionButton('allow', 'primary', words.allow)}${decisionButton('deny', 'secondary', words.deny)}</div>`,
  decisionButton('switch', 'quiet', words.switch),
])}
${clientLinks(model.client, page.language)}
</div>`,
  });
}

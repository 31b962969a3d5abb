import { type AskingClient, askingBlock, nameOf } from './asking.ts';
import { decisionButton, type FormModel, form } from './form.ts';
import { wordsOf } from './language.ts';
import { layout } from './layout.ts';
import { html } from './markup.ts';
import type { PageContext } from './page-context.ts';
import { fill, fillText } from './words.ts';

/** What the account chooser shows. Its form sends `decision`: `continue` or `switch`. */
export type AccountChooserPageModel = FormModel & {
  readonly client: AskingClient;
  /** The signed-in user, in a form the user knows. */
  readonly account: string;
};

/** Asks which account to use. Source: OpenID Connect Core 1.0 section 3.1.2.1, `prompt=select_account`. */
export function accountChooserPage(model: AccountChooserPageModel, page: PageContext): string {
  const words = wordsOf(page.language).accountChooser;
  const account = nameOf(model.account);
  return layout(page, {
    title: fillText(words.title, { client: model.client.client_name }),
    main: html`<div class="card">
<h1>${words.heading}</h1>
${askingBlock(model.client, fill(words.asks, { client: nameOf(model.client.client_name) }), page.language)}
${form(
  model,
  html`<div class="buttons">${decisionButton('continue', 'primary', html`<span>${fill(words.continue, { account })}</span>`)}${decisionButton('switch', 'secondary', words.switch)}</div>`,
)}
</div>`,
  });
}

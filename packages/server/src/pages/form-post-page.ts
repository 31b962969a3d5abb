import { createHash } from 'node:crypto';
import { nameOf } from './asking.ts';
import { type FormModel, form } from './form.ts';
import { wordsOf } from './language.ts';
import { layout } from './layout.ts';
import { html, trustedMarkup } from './markup.ts';
import type { PageContext } from './page-context.ts';
import { fill, fillText } from './words.ts';

/** What the form_post page carries: `action` is the registered `redirect_uri`, `hidden` the parameters of the authorization response. */
export type FormPostPageModel = FormModel & { readonly client_name: string };

// A field may be called "submit" and hide the form's own method, so the prototype's is called.
const script = 'HTMLFormElement.prototype.submit.call(document.forms[0])';

/** The source expression that lets the page's one script run: `script-src ${formPostScriptHash}`. Source: CSP Level 3 section 2.3.1. */
export const formPostScriptHash = `'sha256-${createHash('sha256').update(script).digest('base64')}'`;

/**
 * Posts an authorization response to the app: by itself, or by its button where no script runs. Send it with `Cache-Control: no-store`. Its
 * languages are not offered: it must not be loaded twice. Source: OAuth 2.0 Form Post Response Mode section 2.
 */
export function formPostPage(model: FormPostPageModel, page: PageContext): string {
  const words = wordsOf(page.language).formPost;
  const { path: _, ...frame } = page;
  return layout(frame, {
    title: fillText(words.title, { client: model.client_name }),
    main: html`<div class="card">
<h1>${words.heading}</h1>
<div class="stack"><p>${fill(words.going, { client: nameOf(model.client_name) })}</p><p>${words.hint}</p></div>
${form(model, html`<div class="buttons"><button class="button primary" type="submit">${words.submit}</button></div>`)}
</div>
<script>${trustedMarkup(script)}</script>`,
  });
}

import type { Seconds } from '@tessera/protocol';
import { type AskingClient, askingBlock, clientLinks, nameOf } from './asking.ts';
import { cancelButton, type FormModel, form } from './form.ts';
import { type Words, wordsOf } from './language.ts';
import { layout } from './layout.ts';
import { html, type Markup, type MarkupValue } from './markup.ts';
import type { PageContext } from './page-context.ts';
import { duration } from './relative-time.ts';
import { fill, fillText, pluralForm } from './words.ts';

/** What the sign-in page shows. Its form sends `username`, `password`, `remember=on` if ticked, and `decision=cancel` if cancelled. */
export type SignInPageModel = FormModel & {
  /** Who asks; absent when one signs in to the server's own pages. */
  readonly client?: AskingClient | undefined;
  /** From `login_hint`, or what was typed before. */
  readonly username?: string | undefined;
  /** Whether "keep me signed in" is ticked. Default: no. */
  readonly remember?: boolean | undefined;
  /** How long a ticked "keep me signed in" lasts. */
  readonly rememberLifetime?: Seconds | undefined;
  /** Who is signed in already, when `prompt=login` or `max_age` asks for the password again. */
  readonly reauthenticate?: { readonly account: string } | undefined;
  readonly problem?: SignInProblem | undefined;
};

/** Why the page is shown again. It never tells whether the user exists. */
export type SignInProblem =
  | { readonly kind: 'wrong-credentials' }
  | { readonly kind: 'throttled'; readonly retryAfter: Seconds }
  | { readonly kind: 'expired' }
  /** The session ended while a page of it was open, and what was pressed there was not done. */
  | { readonly kind: 'signed-out' };

/** Asks for username and password. Source: OpenID Connect Core 1.0 section 3.1.2.3. */
export function signInPage(model: SignInPageModel, page: PageContext): string {
  const words = wordsOf(page.language);
  const title = model.client
    ? fillText(words.signIn.title, { client: model.client.client_name })
    : words.signIn.heading;
  return layout(page, {
    title: model.problem ? fillText(words.layout.problemTitle, { title }) : title,
    main: html`<div class="card">
<h1>${words.signIn.heading}</h1>
${model.client ? askingBlock(model.client, askingSentence(model.client, model, words), page.language) : html`<p>${words.signIn.ownPage}</p>`}
${model.problem && html`<p class="notice" role="alert" id="problem">${problemSentence(model.problem, page)}</p>`}
${form(model, [fields(model, page), buttons(model, words)])}
${model.client && clientLinks(model.client, page.language)}
</div>`,
  });
}

function askingSentence(client: AskingClient, model: SignInPageModel, words: Words): Markup {
  const name = nameOf(client.client_name);
  if (model.reauthenticate === undefined) return fill(words.signIn.asks, { client: name });
  return fill(words.signIn.again, { client: name, account: nameOf(model.reauthenticate.account) });
}

function problemSentence(problem: SignInProblem, { language }: PageContext): string {
  const words = wordsOf(language).signIn;
  if (problem.kind === 'wrong-credentials') return words.wrongCredentials;
  if (problem.kind === 'throttled') return pluralForm(words.throttled, Math.max(1, problem.retryAfter), language);
  return problem.kind === 'signed-out' ? words.signedOut : words.expired;
}

function fields(model: SignInPageModel, page: PageContext): Markup {
  const words = wordsOf(page.language).signIn;
  const wrong = model.problem?.kind === 'wrong-credentials' && html` aria-invalid="true" aria-describedby="problem"`;
  // Whoever must only type a password should be able to do just that.
  const focus = html` autofocus`;
  const named = (model.username ?? '') !== '';
  return html`<div class="fields">
<div class="field"><label for="username">${words.username}</label>
<input id="username" name="username" type="text" value="${model.username ?? ''}" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false" required${wrong}${!named && focus}></div>
<div class="field"><label for="password">${words.password}</label>
<input id="password" name="password" type="password" autocomplete="current-password" required${wrong}${named && focus}></div>
<div class="check"><input id="remember" name="remember" type="checkbox" aria-describedby="remember-hint"${model.remember === true && html` checked`}><label for="remember">${words.remember}</label>
<p class="small" id="remember-hint">${rememberHint(model, page)}</p></div>
</div>`;
}

function rememberHint(model: SignInPageModel, { language }: PageContext): MarkupValue {
  const words = wordsOf(language).signIn;
  if (model.rememberLifetime === undefined) return words.rememberHint;
  return fillText(words.rememberFor, { duration: duration(model.rememberLifetime, language) });
}

function buttons(model: SignInPageModel, words: Words): Markup {
  return html`<div class="buttons">
<button class="button primary" type="submit">${words.signIn.submit}</button>
${model.client && cancelButton(words.signIn.cancel)}
</div>`;
}

import type { RefusalReason } from '@tessera/protocol';
import { type Words, wordsOf } from './language.ts';
import { layout } from './layout.ts';
import { html, type MarkupValue } from './markup.ts';
import type { PageContext } from './page-context.ts';
import { fillText } from './words.ts';

/** What may stop somebody, as far as it makes a difference to what they can do next. */
export type ErrorSituation = keyof Words['error']['situations'];

/** What the error page shows. It holds no address of the app: the page is where one lands because an address cannot be trusted. */
export type ErrorPageModel = {
  readonly situation: ErrorSituation;
  /** The `error` code of the protocol, such as `invalid_request`. */
  readonly error: string;
  /** Finds the refusal in the console and the logs. */
  readonly refusalId: string;
  /** The `error_description`, for the people who run the app. */
  readonly detail?: string | undefined;
  /** The `client_name`, only if the client is known. */
  readonly client_name?: string | undefined;
};

/** Says what happened, what it means and what to do next. Source: RFC 6749 section 4.1.2.1, which forbids the redirect in these cases. */
export function errorPage(model: ErrorPageModel, page: PageContext): string {
  const words = wordsOf(page.language).error;
  const { happened, means, next } = words.situations[model.situation];
  return layout(page, {
    title: model.client_name ? fillText(words.title, { client: model.client_name }) : words.heading,
    main: html`<div class="card">
<h1>${words.heading}</h1>
<div class="stack"><p class="name">${happened}</p><p>${means}</p></div>
<div class="stack"><h2>${words.nextHeading}</h2><p>${next}</p></div>
<div class="stack rule"><p class="small">${words.detail}</p>
${model.detail && html`<p class="small" lang="en" dir="ltr">${model.detail}</p>`}
<dl class="facts small">${fact(words.refusalId, model.refusalId)}${fact(words.code, model.error)}</dl></div>
</div>`,
  });
}

/**
 * The situation a refusal puts a person in. Coarse on purpose: the page says no more than one can act on, and anything not listed is the app's
 * mistake.
 */
export function errorSituation(reason: RefusalReason): ErrorSituation {
  return situationOf[reason] ?? 'app-mistake';
}

const situationOf: { readonly [reason in RefusalReason]?: ErrorSituation } = {
  client_unknown: 'unknown-app',
  client_disabled: 'unknown-app',
  redirect_uri_unregistered: 'unregistered-address',
  cross_site_request: 'page-expired',
  session_ended: 'session-ended',
  grant_ended: 'session-ended',
  user_disabled: 'not-allowed',
  permission_missing: 'not-allowed',
  not_yours: 'not-allowed',
  throttled: 'throttled',
  overloaded: 'unavailable',
  not_found: 'not-found',
};

function fact(name: string, value: string): MarkupValue {
  return html`<dt>${name}</dt><dd><code class="select">${value}</code></dd>`;
}

import type { Seconds } from '@tessera/protocol';
import { consentEntry } from './account-consent.ts';
import { sessionEntry } from './account-session.ts';
import { nameOf } from './asking.ts';
import { deviceName } from './device.ts';
import { decisionButton, type FormModel, form } from './form.ts';
import { wordsOf } from './language.ts';
import { layout } from './layout.ts';
import { html, type Markup, type MarkupValue } from './markup.ts';
import type { PageContext } from './page-context.ts';
import type { ScopeModel } from './scope-words.ts';
import { fill, fillText, pluralForm } from './words.ts';

/**
 * What the account page shows. Its forms all post to `action` with the hidden fields and send `decision`: `sign-out` with `session=<handle>`,
 * `sign-out-everywhere`, or `withdraw` with `client=<client_id>`.
 */
export type AccountPageModel = FormModel & {
  readonly account: string;
  /** The live sessions; the one this page is seen in comes first whatever the order. */
  readonly sessions: readonly AccountSession[];
  readonly consents: readonly AccountConsent[];
  /** What just happened. */
  readonly status?: AccountStatus | undefined;
};

/** A live session of the user. */
export type AccountSession = {
  /** Stands for the session in the form; not its `sid` nor its cookie. */
  readonly handle: string;
  readonly userAgent: string | undefined;
  /** The IP address it was last seen at. */
  readonly origin: string | undefined;
  readonly signedInAt: Seconds;
  readonly lastUsedAt: Seconds;
  readonly isCurrent: boolean;
  readonly apps: readonly AccountApp[];
};

/** What one app may do under a session. */
export type AccountApp = {
  readonly client_name: string;
  readonly scopes: readonly string[];
  readonly lastUsedAt: Seconds;
  /** True for a grant of kind `offline`. */
  readonly isOffline: boolean;
};

/** What the user allowed an app, until withdrawn. */
export type AccountConsent = {
  readonly client_id: string;
  readonly client_name: string;
  readonly scopes: readonly ScopeModel[];
  readonly allowedAt: Seconds;
};

/** The result of a form of this page. `confirmedApps` and `pendingApps` tell which apps have answered that they know. */
export type AccountStatus =
  | {
      readonly kind: 'signed-out';
      readonly userAgent: string | undefined;
      readonly confirmedApps?: number | undefined;
      readonly pendingApps?: number | undefined;
    }
  | { readonly kind: 'withdrawn'; readonly client_name: string }
  /** The session or consent had ended before. */
  | { readonly kind: 'gone' }
  /** The anti-forgery token was missing or old; nothing was done. */
  | { readonly kind: 'expired' };

/** Shows a user every session, what hangs on each, and every app allowed, and ends them. */
export function accountPage(model: AccountPageModel, page: PageContext): string {
  const words = wordsOf(page.language).account;
  const sessions = [...model.sessions].sort((a, b) => Number(b.isCurrent) - Number(a.isCurrent));
  return layout(page, {
    title: fillText(words.title, { account: model.account }),
    width: 'wide',
    main: html`<div class="page-head"><h1>${words.heading}</h1><p>${fill(words.signedInAs, { account: nameOf(model.account) })}</p></div>
${statusLine(model.status, page)}
<section class="section" aria-labelledby="devices"><h2 id="devices">${words.devices}</h2>
<ul class="list">${sessions.map((session) => sessionEntry(session, model, page))}</ul></section>
${everywhere(model, page)}
<section class="section" aria-labelledby="consents"><h2 id="consents">${words.consents}</h2>
${model.consents.length === 0 ? html`<p>${words.noConsents}</p>` : html`<ul class="list">${model.consents.map((consent) => consentEntry(consent, model, page))}</ul>`}
</section>`,
  });
}

function statusLine(status: AccountStatus | undefined, page: PageContext): Markup {
  const look = status?.kind === 'signed-out' || status?.kind === 'withdrawn' ? 'notice done' : 'notice';
  return html`<div role="status">${status && html`<p class="${look}">${statusSentence(status, page)}</p>`}</div>`;
}

function statusSentence(status: AccountStatus, { language }: PageContext): MarkupValue {
  const words = wordsOf(language).account;
  if (status.kind === 'gone') return words.gone;
  if (status.kind === 'expired') return words.expired;
  if (status.kind === 'withdrawn') return fill(words.withdrawn, { client: nameOf(status.client_name) });
  const { confirmedApps = 0, pendingApps = 0 } = status;
  return [
    fill(words.signedOutOf, { device: deviceName(status.userAgent, language) }),
    confirmedApps > 0 && ` ${pluralForm(words.confirmed, confirmedApps, language)}`,
    pendingApps > 0 && ` ${pluralForm(words.pending, pendingApps, language)}`,
  ];
}

function everywhere(model: AccountPageModel, { language }: PageContext): Markup {
  const words = wordsOf(language).account;
  const button = decisionButton(
    'sign-out-everywhere',
    'destructive',
    pluralForm(words.everywhere, model.sessions.length, language),
  );
  return html`<section class="section" aria-labelledby="everywhere"><h2 id="everywhere">${words.everywhereHeading}</h2>
<p>${words.everywhereHint}</p>${form(model, html`<div class="buttons">${button}</div>`)}</section>`;
}

import type { AccountApp, AccountSession } from './account-page.ts';
import { nameOf } from './asking.ts';
import { deviceName } from './device.ts';
import { decisionButton, type FormModel, form } from './form.ts';
import { wordsOf } from './language.ts';
import { html, type Markup } from './markup.ts';
import type { PageContext } from './page-context.ts';
import { timeAgo } from './relative-time.ts';
import { fill, fillText } from './words.ts';

/** One session on the account page: device, times, origin, the apps under it, and the button that ends it. */
export function sessionEntry(session: AccountSession, target: FormModel, page: PageContext): Markup {
  const words = wordsOf(page.language).account;
  const device = deviceName(session.userAgent, page.language);
  const time = (at: number) => timeAgo(at, page.now, page.language);
  return html`<li class="card entry"><div class="entry-head"><div>
<div class="entry-title"><h3>${device}</h3>${session.isCurrent && html`<span class="badge live">${words.thisDevice}</span>`}</div>
<p class="small meta"><span>${fill(words.lastUsed, { time: time(session.lastUsedAt) })}</span><span>${fill(words.signedIn, { time: time(session.signedInAt) })}</span>${origin(session, words.from)}</p>
</div>${endButton(session, device, target, page)}</div>
${appList(session.apps, device, page)}
</li>`;
}

function origin(session: AccountSession, sentence: string): Markup | undefined {
  if (session.origin === undefined) return undefined;
  return html`<span>${fill(sentence, { origin: html`<span class="mono">${session.origin}</span>` })}</span>`;
}

function endButton(session: AccountSession, device: string, target: FormModel, { language }: PageContext): Markup {
  const words = wordsOf(language).account;
  // The device is part of the button's name for those who hear it apart from its card.
  const label = html`${words.signOut}<span class="hidden"> ${fillText(words.signOutOf, { device })}</span>`;
  const fields = { action: target.action, hidden: [...target.hidden, ['session', session.handle] as const] };
  return form(fields, decisionButton('sign-out', 'secondary compact', label));
}

function appList(apps: readonly AccountApp[], device: string, page: PageContext): Markup {
  const words = wordsOf(page.language).account;
  if (apps.length === 0) return html`<p class="small">${words.noApps}</p>`;
  return html`<ul class="apps" aria-label="${fillText(words.appsOn, { device })}">${apps.map((app) => appItem(app, page))}</ul>`;
}

function appItem(app: AccountApp, page: PageContext): Markup {
  const words = wordsOf(page.language).account;
  const lastUsed = fill(words.lastUsed, { time: timeAgo(app.lastUsedAt, page.now, page.language) });
  return html`<li><div class="entry-title">${nameOf(app.client_name)}<span class="small">${lastUsed}</span>${app.isOffline && html`<span class="badge">${words.offline}</span>`}</div>
<p class="small mono"><span class="hidden">${words.scopes}: </span>${app.scopes.join(' ')}</p></li>`;
}

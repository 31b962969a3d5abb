import type { AccountConsent } from './account-page.ts';
import { nameOf } from './asking.ts';
import { decisionButton, type FormModel, form } from './form.ts';
import { wordsOf } from './language.ts';
import { html, type Markup } from './markup.ts';
import type { PageContext } from './page-context.ts';
import { timeAgo } from './relative-time.ts';
import { scopeList } from './scope-list.ts';
import { fill } from './words.ts';

/** One app the user allowed: what it may do, since when, and the button that takes it back. */
export function consentEntry(consent: AccountConsent, target: FormModel, page: PageContext): Markup {
  const words = wordsOf(page.language).account;
  const client = nameOf(consent.client_name);
  const allowed = fill(words.allowed, { time: timeAgo(consent.allowedAt, page.now, page.language) });
  const label = html`${words.withdraw}<span class="hidden"> ${fill(words.withdrawFrom, { client })}</span>`;
  const fields = { action: target.action, hidden: [...target.hidden, ['client', consent.client_id] as const] };
  return html`<li class="card entry"><div class="entry-head"><div><h3><bdi>${consent.client_name}</bdi></h3><p class="small">${allowed}</p></div>
${form(fields, decisionButton('withdraw', 'secondary compact', label))}</div>
${scopeList(consent.scopes, page.language)}
</li>`;
}

import { wordsOf } from './language.ts';
import { layout } from './layout.ts';
import { html } from './markup.ts';
import type { PageContext } from './page-context.ts';

/** What the issuer's root shows. */
export type HomePageModel = { readonly issuer: string; readonly discoveryUrl: string; readonly accountUrl: string };

/** Says what this server is, to somebody who types its address. */
export function homePage(model: HomePageModel, page: PageContext): string {
  const words = wordsOf(page.language).home;
  return layout(page, {
    title: page.brand.name,
    main: html`<div class="card">
<h1>${page.brand.name}</h1>
<div class="stack"><p>${words.purpose}</p><p class="small mono">${model.issuer}</p></div>
<div class="buttons"><a class="button primary" href="${model.accountUrl}">${words.account}</a></div>
<p class="small"><a href="${model.discoveryUrl}">${words.discovery}</a></p>
</div>`,
  });
}

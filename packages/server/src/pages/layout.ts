import { type Language, languages, supportedLanguages, wordsOf } from './language.ts';
import { html, type Markup, type MarkupValue } from './markup.ts';
import type { PageContext } from './page-context.ts';
import { darkPalette, lightPalette } from './palette.ts';

/** What a page puts into the common frame. */
export type LayoutParts = {
  /** Names the page and, where one asks, the app; the brand is added. */
  readonly title: string;
  readonly main: MarkupValue;
  /** `narrow` where one decides something, `wide` where one reads a list. */
  readonly width?: 'narrow' | 'wide';
};

const markPath = 'M0 0H11L16 5V16H0Z';

/**
 * The frame of every page: one stylesheet and nothing else from anywhere, no inline style, no script; header with the brand, main, footer with
 * the languages. Made for the policy `default-src 'none'; style-src 'self'; img-src 'self' data:`.
 */
export function layout(page: PageContext, parts: LayoutParts): string {
  const { brand, language } = page;
  const title = parts.title === brand.name ? brand.name : `${parts.title} · ${brand.name}`;
  return html`<!doctype html>
<html lang="${language}" dir="${languages[language].dir}">
<head>
<meta charset="utf-8">
<title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="theme-color" media="(prefers-color-scheme: light)" content="${lightPalette(brand).paper}">
<meta name="theme-color" media="(prefers-color-scheme: dark)" content="${darkPalette(brand).paper}">
<meta name="robots" content="noindex">
<link rel="icon" href="${iconOf(brand.accent)}">
<link rel="stylesheet" href="${page.base}/assets/tessera.css?v=${page.stylesheetVersion}">
</head>
<body class="${parts.width ?? 'narrow'}">
<header class="brand">${logo(page)}<span>${brand.name}</span></header>
<main>
${parts.main}
</main>
${page.path !== undefined && languageLinks(page.path, language)}
</body>
</html>
`.toString();
}

function logo({ brand }: PageContext): Markup {
  if (brand.logoUrl !== undefined) return html`<img class="logo" src="${brand.logoUrl}" alt="">`;
  return html`<svg class="mark" viewBox="0 0 16 16" width="24" height="24" aria-hidden="true"><path d="${markPath}"/></svg>`;
}

function iconOf(accent: string): string {
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="${accent}" d="${markPath}"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(drawing)}`;
}

function languageLinks(path: string, current: Language): Markup {
  const items = supportedLanguages.map((language) => {
    const { name } = languages[language];
    if (language === current) return html`<li><span lang="${language}" aria-current="true">${name}</span></li>`;
    return html`<li><a href="${inLanguage(path, language)}" lang="${language}" hreflang="${language}">${name}</a></li>`;
  });
  return html`<footer><nav aria-label="${wordsOf(current).layout.language}"><ul>${items}</ul></nav></footer>`;
}

function inLanguage(path: string, language: Language): string {
  // Anything but one slash first could name another server.
  if (!/^\/(?![/\\])/.test(path))
    throw new TypeError(`layout: path must be a path on this server, got "${path.slice(0, 80)}"`);
  const url = new URL(path, 'https://server.invalid');
  url.searchParams.set('ui_locales', language);
  return url.pathname + url.search;
}

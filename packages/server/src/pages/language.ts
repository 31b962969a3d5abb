import { de } from './languages/de.ts';
import { en } from './languages/en.ts';

/** Every sentence the pages say. A language that lacks one does not compile. */
export type Words = typeof en;

/** The languages the pages speak, the default first: their words, their name in themselves and the direction they are written in. */
export const languages = {
  en: { words: en, name: 'English', dir: 'ltr' },
  de: { words: de, name: 'Deutsch', dir: 'ltr' },
} as const satisfies { readonly [tag: string]: { words: Words; name: string; dir: 'ltr' | 'rtl' } };

/** The tag (BCP 47) of a language the pages speak. */
export type Language = keyof typeof languages;

/** All languages, the default first. */
export const supportedLanguages: readonly Language[] = Object.keys(languages) as Language[];

/** The sentences of a language. */
export function wordsOf(language: Language): Words {
  return languages[language].words;
}

const mostRanges = 32;

/**
 * Picks the language of a page: `ui_locales` (tags by preference, space-separated) goes before Accept-Language (ranges with q-values). A tag
 * is shortened from its end until it is supported, so `de-AT` gets `de`. Nothing that fits gives the first supported language. Both inputs
 * come from outside and may be anything. Source: OpenID Connect Core 1.0 section 3.1.2.1, RFC 9110 section 12.5.4, RFC 4647 section 3.4.
 */
export function pickLanguage(
  acceptLanguage: string | undefined,
  uiLocales: string | undefined,
  supported: readonly Language[] = supportedLanguages,
): Language {
  const asked = (uiLocales ?? '').split(' ').slice(0, mostRanges);
  const { wanted, unwanted } = acceptedRanges(acceptLanguage ?? '');
  const byQuality = wanted.map((range) => (range === '*' ? firstBut(supported, unwanted) : lookUp(range, supported)));
  const picked = asked.map((tag) => lookUp(tag.toLowerCase(), supported)).concat(byQuality);
  const fallback = supported[0];
  if (fallback === undefined) throw new TypeError('pickLanguage: supported must name at least one language');
  return picked.find((language) => language !== undefined) ?? fallback;
}

function acceptedRanges(header: string): { wanted: string[]; unwanted: string[] } {
  const ranges = header.split(',').slice(0, mostRanges).map(parseRange);
  return {
    wanted: ranges
      .filter(({ quality }) => quality > 0)
      .sort((a, b) => b.quality - a.quality)
      .map(({ range }) => range),
    unwanted: ranges.filter(({ quality }) => quality === 0).map(({ range }) => range),
  };
}

function parseRange(text: string): { range: string; quality: number } {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  const quality = weight === undefined ? 1 : Number(weight.slice(2));
  return { range, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

function lookUp(range: string, supported: readonly Language[]): Language | undefined {
  for (let tag = range; tag !== ''; tag = tag.slice(0, Math.max(0, tag.lastIndexOf('-')))) {
    const found = supported.find((language) => language === tag);
    if (found !== undefined) return found;
  }
  return undefined;
}

function firstBut(supported: readonly Language[], unwanted: readonly string[]): Language | undefined {
  return supported.find((language) => !unwanted.includes(language));
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Language, languages, pickLanguage, supportedLanguages, wordsOf } from './language.ts';
import { placeNames } from './words.ts';

const cases: readonly (readonly [acceptLanguage: string | undefined, uiLocales: string | undefined, Language])[] = [
  [undefined, undefined, 'en'],
  ['', '', 'en'],
  ['de', undefined, 'de'],
  ['de-AT', undefined, 'de'],
  ['DE-at', undefined, 'de'],
  ['de-Latn-CH-1996', undefined, 'de'],
  ['fr', undefined, 'en'],
  ['fr, de;q=0.5', undefined, 'de'],
  ['de;q=0.7, en;q=0.8', undefined, 'en'],
  ['en;q=0.7,de', undefined, 'de'],
  ['de;q=0.5, en;q=0.5', undefined, 'de'],
  ['*', undefined, 'en'],
  ['fr, *;q=0.1', undefined, 'en'],
  ['en;q=0, *', undefined, 'de'],
  ['de;q=0', undefined, 'en'],
  ['de;q=nonsense, en;q=0.1', undefined, 'en'],
  ['de;q=7', undefined, 'en'],
  ['de ; q=0.9 , en ; q=0.1', undefined, 'de'],
  ['en', 'de', 'de'],
  ['en', 'fr-CA de-CH en', 'de'],
  ['de', 'fr', 'de'],
  ['de', 'fr en', 'en'],
  ['en', '  de  ', 'de'],
  ['-', '-', 'en'],
  [';;;,,,q=', 'de_DE', 'en'],
  ['dex, ende', 'd', 'en'],
];

for (const [acceptLanguage, uiLocales, expected] of cases) {
  test(`Accept-Language ${acceptLanguage} with ui_locales ${uiLocales} gives ${expected}`, () => {
    assert.equal(pickLanguage(acceptLanguage, uiLocales), expected);
  });
}

test('only supported languages are picked', () => {
  assert.equal(pickLanguage('en', 'en', ['de']), 'de');
  assert.throws(() => pickLanguage('en', undefined, []), TypeError);
});

test('a header of a megabyte is no work', () => {
  const started = process.cpuUsage().user;
  pickLanguage('a-b-c-d-e-f,'.repeat(90_000), 'x-y '.repeat(250_000));
  assert.ok(process.cpuUsage(undefined).user - started < 1_000_000);
});

/** Every sentence of a language by the path of its key: `signIn.heading`. */
function sentences(value: unknown, path: string): [string, string][] {
  if (typeof value === 'string') return [[path, value]];
  return Object.entries(value as object).flatMap(([key, inner]) =>
    sentences(inner, path === '' ? key : `${path}.${key}`),
  );
}

const isPlural = /\.(?:zero|one|two|few|many|other)$/;

for (const language of supportedLanguages.filter((one) => one !== 'en')) {
  test(`${languages[language].name} says everything English says, with the same places for values`, () => {
    const english = new Map(sentences(wordsOf('en'), ''));
    const translated = sentences(wordsOf(language), '');
    for (const [path, sentence] of translated) {
      assert.notEqual(sentence.trim(), '', path);
      const original = english.get(path) ?? english.get(path.replace(isPlural, '.other'));
      assert.ok(original !== undefined, `${path} has no English sentence`);
      assert.deepEqual(placeNames(sentence).sort(), placeNames(original).sort(), path);
    }
    const paths = new Set(translated.map(([path]) => path));
    assert.deepEqual(
      [...english.keys()].filter((path) => !isPlural.test(path) && !paths.has(path)),
      [],
    );
  });

  test(`${languages[language].name} is not English left standing`, () => {
    const english = new Map(sentences(wordsOf('en'), ''));
    const same = sentences(wordsOf(language), '').filter(([path, sentence]) => english.get(path) === sentence);
    const sameInBoth = /^time\.|^account\.apps$|^layout\.problemTitle$/;
    assert.deepEqual(
      same.map(([path]) => path).filter((path) => !sameInBoth.test(path)),
      [],
    );
  });
}

test('every plural has the categories its language needs', () => {
  for (const language of supportedLanguages) {
    const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    const forms = sentences(wordsOf(language), '').filter(([path]) => isPlural.test(path));
    const groups = Map.groupBy(forms, ([path]) => path.replace(isPlural, ''));
    for (const [path, group] of groups) {
      const present = group.map(([form]) => form.slice(path.length + 1));
      if (path.startsWith('time.') && path !== 'time.day') assert.deepEqual(present, ['other'], path);
      else assert.deepEqual(present.sort(), [...needed].sort(), `${language} ${path}`);
    }
  }
});

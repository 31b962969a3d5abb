import { html, type Markup, type MarkupValue } from './markup.ts';
import { oncePer } from './once-per.ts';

const pluralRules = oncePer((language: string) => new Intl.PluralRules(language));
const numbers = oncePer((language: string) => new Intl.NumberFormat(language));

/** One sentence per plural category of a language (CLDR); `other` serves where a category has none of its own. `{n}` stands for the number. */
export type Plural = { readonly other: string } & { readonly [category in Intl.LDMLPluralRule]?: string };

/** Marks sentences as plural forms, so that another language may have more categories than English. */
export function plural(forms: Plural): Plural {
  return forms;
}

/** The form that fits a number, with `{n}` written as the language writes numbers. `n` is a whole number, 0 or more. */
export function pluralForm(forms: Plural, n: number, language: string): string {
  const form = forms[pluralRules(language).select(n)] ?? forms.other;
  return form.replaceAll('{n}', numbers(language).format(n));
}

/** Puts values into the `{name}` places of a sentence, each isolated and escaped. A place without a value throws `TypeError`. */
export function fill(sentence: string, values: { readonly [name: string]: MarkupValue }): Markup {
  return html`${placesOf(sentence).map(({ text, name }) => [text, name === undefined ? '' : placeValue(values, name, sentence)])}`;
}

/** As `fill`, for plain text such as a title. */
export function fillText(sentence: string, values: { readonly [name: string]: string | number }): string {
  return placesOf(sentence)
    .map(({ text, name }) => text + (name === undefined ? '' : String(placeValue(values, name, sentence))))
    .join('');
}

/** The names of the places in a sentence, in their order: `"{client} asks"` has `client`. */
export function placeNames(sentence: string): string[] {
  return placesOf(sentence).flatMap(({ name }) => (name === undefined ? [] : [name]));
}

function placesOf(sentence: string): { text: string; name?: string }[] {
  return sentence.split('}').map((part) => {
    const [text = '', name] = part.split('{');
    return name === undefined ? { text } : { text, name };
  });
}

function placeValue<T>(values: { readonly [name: string]: T }, name: string, sentence: string): T {
  const value = values[name];
  if (value === undefined) throw new TypeError(`fill: "${sentence}" needs a value for "${name}"`);
  return value;
}

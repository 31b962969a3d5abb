import { html as honoHtml, raw } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';

/** A piece of HTML in which everything that came from outside is already escaped. */
export type Markup = HtmlEscapedString;

/** What may stand in a piece of HTML: text is escaped, markup is kept, nothing stays nothing, lists are joined. */
export type MarkupValue = string | number | false | undefined | Markup | readonly MarkupValue[];

/**
 * Makes markup from a template: each value that is not itself markup is escaped, in text and in quoted attributes alike. The only way the
 * pages write HTML. A promise among the values is a bug and throws `TypeError`.
 */
export function html(strings: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  const markup = honoHtml(strings, ...values);
  if (markup instanceof Promise) throw new TypeError('html: a value is a promise; await it before it is shown');
  return markup;
}

/** Takes text as markup without escaping it: only for what is written in this folder, such as an inline script or a drawing. */
export function trustedMarkup(text: string): Markup {
  return raw(text);
}

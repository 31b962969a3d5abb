import { html, type Markup, type MarkupValue } from './markup.ts';

/** Where a page's form goes. `hidden` are the caller's own fields, such as the anti-forgery token and the handle of the request. */
export type FormModel = {
  readonly action: string;
  readonly hidden: readonly HiddenField[];
};

/** A field the person doesn't see. */
export type HiddenField = readonly [name: string, value: string];

/** How a button looks: what one most likely wants, the other way out, the same within a list, one that reads as a link, or one that ends much. */
export type ButtonLook = 'primary' | 'secondary' | 'secondary compact' | 'quiet' | 'destructive';

/** A form that posts to the model's action, with its hidden fields first. */
export function form(model: FormModel, content: MarkupValue): Markup {
  return html`<form method="post" action="${model.action}">${model.hidden.map(hiddenField)}${content}</form>`;
}

/** A hidden field. */
export function hiddenField([name, value]: HiddenField): Markup {
  return html`<input type="hidden" name="${name}" value="${value}">`;
}

/** A button that sends `decision=<value>` with its form. */
export function decisionButton(value: string, look: ButtonLook, words: MarkupValue): Markup {
  return html`<button class="button ${look}" type="submit" name="decision" value="${value}">${words}</button>`;
}

/** A button that sends `decision=cancel` even when fields are still empty. */
export function cancelButton(words: string): Markup {
  return html`<button class="button secondary" type="submit" name="decision" value="cancel" formnovalidate>${words}</button>`;
}

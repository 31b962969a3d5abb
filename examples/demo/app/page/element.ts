/** What may stand inside an element. Empty text and `undefined` are left out. */
export type Content = Node | string | undefined;

/** Makes an element. Attributes as in HTML; text is never read as HTML. */
export function element(
  name: string,
  attributes: Record<string, string | undefined> = {},
  ...content: Content[]
): HTMLElement {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes))
    if (value !== undefined) made.setAttribute(attribute, value);
  made.append(...content.filter((one): one is Node | string => one !== undefined && one !== ''));
  return made;
}

/** The element of the page with this id. Throws `TypeError` when the page lacks it. */
export function place(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new TypeError(`the page has no element "${id}"`);
  return found;
}

/** The button of the page with this id. */
export function button(id: string): HTMLButtonElement {
  return place(id) as HTMLButtonElement;
}

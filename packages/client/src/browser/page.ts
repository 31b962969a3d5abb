/** What the browser client does with the page it runs in. Replaced in tests, and by apps that run in unusual places. */
export type Page = {
  /** The address shown now. */
  href(): string;
  /** Leaves for another address. */
  assign(href: string): void;
  /** Shows another address of this origin without loading it. */
  replaceAddress(href: string): void;
  /** Where the traces of a sign-in under way are kept until the user is back: the tab's `sessionStorage`. */
  tabStorage(): Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;
};

/** The page of the window this script runs in. */
export function windowPage(): Page {
  return {
    href: () => globalThis.location.href,
    assign: (href) => globalThis.location.assign(href),
    replaceAddress: (href) => globalThis.history.replaceState(globalThis.history.state, '', href),
    tabStorage: () => globalThis.sessionStorage,
  };
}

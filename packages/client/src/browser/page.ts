import { TesseraClientError } from '../core/index.ts';

/** What the browser client does with the page it runs in. Replaced in tests, and by apps that run in unusual places. */
export type Page = {
  /** The address shown now. */
  href(): string;
  /** Leaves for another address. */
  assign(href: string): void;
  /** Shows another address of this origin without loading it. */
  replaceAddress(href: string): void;
  /** Calls the listener each time the page is shown again as it was left, after going back in the history (bfcache). Returns a function that ends that. */
  onShownAgain?(listener: () => void): () => void;
  /** Where the traces of a sign-in under way are kept until the user is back: the tab's `sessionStorage`. */
  tabStorage(): Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;
};

/** The page of the window this script runs in. Throws `unsupported_environment` where there is none, as when a server renders the app. */
export function windowPage(): Page {
  if (globalThis.location === undefined || globalThis.history === undefined)
    throw new TesseraClientError(
      'unsupported_environment',
      'createTesseraClient needs a browser window and there is none; make the client in code that runs in the browser only (not while rendering on a server), or use TokenClient from @tessera/client',
    );
  return {
    href: () => globalThis.location.href,
    assign: (href) => globalThis.location.assign(href),
    replaceAddress: (href) => globalThis.history.replaceState(globalThis.history.state, '', href),
    onShownAgain: (listener) => {
      const onPageShow = (event: PageTransitionEvent) => event.persisted && listener();
      globalThis.addEventListener?.('pageshow', onPageShow);
      return () => globalThis.removeEventListener?.('pageshow', onPageShow);
    },
    tabStorage: () => globalThis.sessionStorage,
  };
}

import type { Page } from '../src/browser/page.ts';

/** A page without a browser: an address, the places it was left for, and a sessionStorage to look into. */
export type FakePage = Page & {
  /** Addresses the page was left for, in order. */
  left: string[];
  stored: Map<string, string>;
  /** Loads an address, as a redirect does. */
  show(href: string): void;
  /** Shows the page again as it was left, as going back does. */
  showAgain(): void;
  /** Makes sessionStorage throw, as browsers do where the user blocked it. */
  block(): void;
};

export function makeFakePage(address: string): FakePage {
  let href = address;
  let isBlocked = false;
  const stored = new Map<string, string>();
  const left: string[] = [];
  const onShownAgain = new Set<() => void>();
  const tabStorage = {
    get length() {
      return stored.size;
    },
    key: (index: number) => [...stored.keys()][index] ?? null,
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
    removeItem: (key: string) => void stored.delete(key),
  };
  return {
    left,
    stored,
    href: () => href,
    assign: (place) => void left.push(place),
    replaceAddress: (place) => {
      href = new URL(place, href).href;
    },
    tabStorage: () => {
      if (isBlocked) throw new Error('SecurityError');
      return tabStorage;
    },
    show: (place) => {
      href = place;
    },
    onShownAgain: (listener) => {
      onShownAgain.add(listener);
      return () => onShownAgain.delete(listener);
    },
    showAgain: () => {
      for (const listener of onShownAgain) listener();
    },
    block: () => {
      isBlocked = true;
    },
  };
}

import type { DocumentKind, Documents } from '../store/records.ts';
import type { Store } from '../store/store.ts';

/** All documents of a kind. For kinds an operator makes by hand, of which there are few. */
export async function listAll<K extends DocumentKind>(store: Store, kind: K): Promise<Documents[K][]> {
  const all: Documents[K][] = [];
  let after: string | undefined;
  do {
    const page = await store.list(kind, after === undefined ? { limit: 500 } : { limit: 500, after });
    all.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  return all;
}

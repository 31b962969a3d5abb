import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from './registry.ts';
import type { ClientRecord } from './store/records.ts';
import type { Store } from './store/store.ts';

/** A store with one client, whose every read waits until it is let go. */
function slowStore() {
  let disabled = false;
  const waiting: (() => void)[] = [];
  const store = {
    async get() {
      const found = { clientId: 'web', disabled } as ClientRecord;
      await new Promise<void>((resolve) => waiting.push(resolve));
      return found;
    },
  } as unknown as Store;
  return {
    store,
    letGo: () => waiting.shift()?.(),
    disable: () => {
      disabled = true;
    },
  };
}

describe('the registry', () => {
  it('A13 does not keep a client that was read before it changed and arrived after', async () => {
    const { store, letGo, disable } = slowStore();
    const registry = new Registry(store, []);
    const early = registry.client('web');
    disable();
    registry.forgetClient('web');
    letGo();
    assert.equal((await early)?.disabled, false);
    const late = registry.client('web');
    letGo();
    assert.equal((await late)?.disabled, true);
    assert.equal((await registry.client('web'))?.disabled, true, 'and this one is at hand');
  });
});

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

  it('A13 goes by the version the store has at this moment, whatever is at hand', async () => {
    let stored: ClientRecord | undefined = { clientId: 'web', version: 1, epoch: 0 } as ClientRecord;
    const registry = new Registry({ get: async () => stored } as unknown as Store, []);
    assert.equal((await registry.client('web'))?.epoch, 0);
    stored = { ...stored, version: 2, epoch: 1 };
    assert.equal((await registry.clientAsOf('web', 1))?.epoch, 0, 'at hand, and that is the version');
    assert.equal((await registry.clientAsOf('web', 2))?.epoch, 1);
    assert.equal((await registry.client('web'))?.epoch, 1, 'and this one is at hand');
    stored = undefined;
    assert.equal(await registry.clientAsOf('web', undefined), undefined, 'the store has none any more');
  });
});

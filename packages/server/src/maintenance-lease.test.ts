import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MaintenanceLease } from './maintenance-lease.ts';
import { systemRandom } from './secrets/random.ts';
import { openSqliteStore } from './store/sqlite/open.ts';
import type { Store } from './store/store.ts';

describe('the lease of the maintenance', () => {
  let store: Store;
  let now = 1_700_000_000;
  before(async () => {
    store = await openSqliteStore({ file: ':memory:' });
  });
  after(() => store.close());
  const lease = (at = () => now) => new MaintenanceLease(store, at, systemRandom);

  it('of many who ask at once one gets it, and keeps it while it renews', async () => {
    const all = Array.from({ length: 8 }, () => lease());
    const got = await Promise.all(all.map((one) => one.hold()));
    assert.equal(got.filter(Boolean).length, 1);
    const holder = all[got.indexOf(true)] as MaintenanceLease;
    for (let passed = 0; passed < 100; passed += 5) {
      now += 5;
      assert.equal(await holder.hold(), true);
      for (const other of all) if (other !== holder) assert.equal(await other.hold(), false);
    }
    await holder.release();
  });

  it('is written once in ten seconds, however often one asks', async () => {
    const holder = lease();
    await holder.hold();
    const version = async () => (await store.get('setting', 'maintenance'))?.version ?? 0;
    const before = await version();
    for (let asked = 0; asked < 50; asked++) await holder.hold();
    assert.equal(await version(), before);
    now += 10;
    await holder.hold();
    assert.equal(await version(), before + 1);
    await holder.release();
  });

  it('goes to another half a minute after its holder fell silent, and the holder that wakes up has it no more', async () => {
    const [silent, other] = [lease(), lease()];
    assert.equal(await silent.hold(), true);
    now += 29;
    assert.equal(await other.hold(), false);
    now += 1;
    assert.equal(await other.hold(), true);
    assert.equal(await silent.hold(), false);
    await silent.release();
    assert.equal(await other.hold(), true);
    await other.release();
  });

  it('goes to another at once when it was given back', async () => {
    const [leaving, other] = [lease(), lease()];
    assert.equal(await leaving.hold(), true);
    await leaving.release();
    assert.equal(await other.hold(), true);
    await other.release();
  });

  it('one written by a clock that was far ahead holds nobody up', async () => {
    const ahead = lease(() => now + 86_400);
    assert.equal(await ahead.hold(), true);
    assert.equal(await lease().hold(), true);
  });
});

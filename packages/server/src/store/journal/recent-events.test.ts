import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EventRecord } from '../store.ts';
import { RecentEvents } from './recent-events.ts';

const event = (position: number): EventRecord => ({ position, type: 'grant.ended', at: 1, actor: { kind: 'server' } });
const told = (...positions: number[]) => ({ epoch: 7, events: positions.map(event) });

function positionsOf(recent: RecentEvents, afterPosition: number, beforePosition: number, limit = 9) {
  return recent.find({ afterPosition, beforePosition, limit })?.map(({ position }) => position);
}

describe('events of late', () => {
  it('answer what lies between two positions, if all of it was told', () => {
    const recent = new RecentEvents();
    assert.equal(positionsOf(recent, 0, 1), undefined);
    recent.add(told(4, 5));
    recent.add(told(6));
    assert.deepEqual(positionsOf(recent, 3, 7), [4, 5, 6]);
    assert.deepEqual(positionsOf(recent, 4, 6), [5]);
    assert.deepEqual(positionsOf(recent, 3, 7, 2), [4, 5]);
    assert.deepEqual(positionsOf(recent, 6, 7), []);
    assert.deepEqual(positionsOf(recent, 5, 5), []);
    assert.equal(positionsOf(recent, 2, 7), undefined, 'what was before is not known');
    assert.equal(positionsOf(recent, 3, 8), undefined, 'what came after is not known');
    assert.equal(recent.find({ afterPosition: 3, limit: 9 }), undefined, 'how far the log has come is not known');
    assert.equal(recent.find({ afterPosition: 3, beforePosition: 7, types: ['grant.ended'], limit: 9 }), undefined);
  });

  it('begin anew after a gap, and in another epoch', () => {
    const recent = new RecentEvents();
    recent.add(told(4, 5));
    recent.add(told(7));
    assert.equal(positionsOf(recent, 4, 8), undefined);
    assert.deepEqual(positionsOf(recent, 6, 8), [7]);
    recent.add({ epoch: 8, events: [event(8)] });
    assert.equal(positionsOf(recent, 6, 9), undefined);
    assert.deepEqual(positionsOf(recent, 7, 9), [8]);
  });

  it('are bounded', () => {
    const recent = new RecentEvents();
    for (let position = 1; position <= 10_000; position += 1) recent.add(told(position));
    assert.equal(positionsOf(recent, 0, 10_001), undefined);
    assert.deepEqual(positionsOf(recent, 9_998, 10_001), [9_999, 10_000]);
  });
});

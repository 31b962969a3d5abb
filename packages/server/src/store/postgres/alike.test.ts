import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sampleEnding, sampleGrant, sampleSession } from '../sample-records.ts';
import { takeApart } from './alike.ts';
import type { SharedTask } from './batch.ts';
import type { SharedChange } from './changes.ts';

const event = { type: 'session.started', at: 1, actor: { kind: 'server' } } as const;
const commit = (...changes: SharedChange[]): SharedTask => ({ changes, events: [] });
const end = (grantId: string): SharedChange => ({ change: 'end-grants', where: { grantId }, ending: sampleEnding() });
const replay = (grantId: string): SharedChange => ({ change: 'count-replay', grantId });
const create = (grantId: string): SharedChange => ({
  change: 'create-grant',
  grant: sampleGrant(sampleSession(), { grantId }),
});
const rotate = (grantId: string, generation?: number): SharedChange => ({
  change: 'rotate-grant',
  grantId,
  expect: 1,
  sealKeyId: 'k',
  at: 1,
  idleAt: null,
  origin: { ip: '', userAgent: '' },
  ...(generation !== undefined && { generation }),
});
const remember = (key: string): SharedChange => ({ change: 'remember', key, now: 1, until: 2 });
const told = { changes: [], events: [event] };

/** Each commit of a batch, and the kind it should be taken for. */
const table: { name: string; batch: [SharedTask, 'rotation' | 'creation' | 'ending' | 'other'][] }[] = [
  { name: 'nothing', batch: [] },
  {
    name: 'one of each kind',
    batch: [
      [commit(rotate('a')), 'rotation'],
      [commit(create('b')), 'creation'],
      [commit(end('c')), 'ending'],
      [commit(replay('d')), 'other'],
      [told, 'other'],
    ],
  },
  {
    name: 'with the key of a proof, and with an event',
    batch: [
      [commit(remember('k'), rotate('a')), 'rotation'],
      [{ ...commit(create('b')), events: [event] }, 'creation'],
      [{ ...commit(end('c')), events: [event] }, 'other'],
      [{ ...commit(rotate('d')), events: [event] }, 'other'],
    ],
  },
  {
    name: 'the same grant, whatever is done to it, in whatever order',
    batch: [
      [commit(rotate('a')), 'other'],
      [commit(end('a')), 'other'],
      [commit(create('b')), 'other'],
      [commit(replay('b')), 'other'],
      [commit(end('c')), 'other'],
      [commit(end('c')), 'other'],
      [commit(rotate('d')), 'rotation'],
    ],
  },
  {
    name: 'the same key',
    batch: [
      [commit(remember('k'), rotate('a')), 'other'],
      [commit(remember('k'), rotate('b')), 'other'],
      [commit(remember('k2'), rotate('c')), 'rotation'],
      [commit(remember('k3')), 'other'],
    ],
  },
  {
    name: 'more than one thing at once',
    batch: [
      [commit(end('a'), end('b')), 'other'],
      [commit(rotate('c'), rotate('d')), 'other'],
      [commit(rotate('e', 7)), 'other'],
      [commit(create('f'), remember('k')), 'other'],
      [commit(end('b')), 'other'],
    ],
  },
];

describe('commits that wait together are taken apart', () => {
  for (const { name, batch } of table) {
    it(name, () => {
      const waiting = batch.map(([task]) => ({ task }));
      const { rotations, creations, endings, others } = takeApart(waiting);
      const places = (kind: string) => batch.flatMap(([, expected], index) => (expected === kind ? index : []));
      const found = (ones: readonly { task: SharedTask }[]) => ones.map((one) => waiting.indexOf(one));
      assert.deepEqual(
        [rotations, creations, endings].map((alike) => found(alike.map((one) => one.waiting))),
        ['rotation', 'creation', 'ending'].map(places),
      );
      assert.deepEqual(found(others), places('other'), 'in their order');
    });
  }
});

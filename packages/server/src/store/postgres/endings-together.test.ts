import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sampleEnding, sampleGrant, sampleSession } from '../sample-records.ts';
import type { SharedTask } from './batch.ts';
import { onlyEndings, takeApart } from './endings-together.ts';

const end = (grantId: string): SharedTask => ({
  changes: [{ change: 'end-grants', where: { grantId }, ending: sampleEnding() }],
  events: [],
});
const replay = (grantId: string): SharedTask => ({ changes: [{ change: 'count-replay', grantId }], events: [] });
const told: SharedTask = { changes: [], events: [{ type: 'session.started', at: 1, actor: { kind: 'server' } }] };
const grant = sampleGrant(sampleSession());

const table: { name: string; batch: SharedTask[]; endings: number[] }[] = [
  { name: 'nothing', batch: [], endings: [] },
  { name: 'endings alone', batch: [end('a'), end('b')], endings: [0, 1] },
  { name: 'endings among others', batch: [replay('c'), end('a'), told, end('b')], endings: [1, 3] },
  { name: 'a change of the same grant before it', batch: [replay('a'), end('a'), end('b')], endings: [2] },
  { name: 'a change of the same grant after it', batch: [end('a'), end('b'), replay('a')], endings: [1] },
  {
    name: 'the birth of the same grant',
    batch: [{ changes: [{ change: 'create-grant', grant }], events: [] }, end(grant.grantId), end('b')],
    endings: [2],
  },
  { name: 'the same grant twice', batch: [end('a'), end('b'), end('a')], endings: [1] },
  { name: 'an ending with a cause', batch: [{ ...end('a'), events: told.events }, end('b')], endings: [1] },
  {
    name: 'two endings in one commit',
    batch: [{ changes: [...end('a').changes, ...end('b').changes], events: [] }, end('c'), end('b')],
    endings: [1],
  },
];

describe('commits that wait together', () => {
  for (const { name, batch, endings } of table) {
    it(`are taken apart: ${name}`, () => {
      const waiting = batch.map((task) => ({ task }));
      const apart = takeApart(waiting);
      assert.deepEqual(
        apart.endings.map((one) => waiting.indexOf(one)),
        endings,
      );
      assert.deepEqual(
        apart.others.map((one) => waiting.indexOf(one)),
        [...waiting.keys()].filter((index) => !endings.includes(index)),
      );
      if (endings.length > 0) assert.equal(onlyEndings(apart.endings.map(({ task }) => task))?.length, endings.length);
      if (endings.length < batch.length) assert.equal(onlyEndings(batch), undefined);
    });
  }
});

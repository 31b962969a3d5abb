import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Asked, History, type Outcome } from './history.ts';

const alive: Outcome = { kind: 'done', active: true };
const dead: Outcome = { kind: 'done', active: false };
const done: Outcome = { kind: 'done' };
const refused: Outcome = { kind: 'refused' };
const successor = (text: string): Outcome => ({ kind: 'done', successor: text });

type Row = [asked: Asked, fromMs: number, toMs: number, outcome: Outcome, sent?: string];

function violations(...rows: Row[]): string[] {
  const history = new History();
  for (const [asked, fromMs, toMs, outcome, sent = 'token'] of rows)
    history.entries.push({ asked, app: 0, node: 0, sent, fromMs, toMs, outcome });
  return history.violations();
}

describe('a history in which all is well', () => {
  const cases: Record<string, Row[]> = {
    'a refresh, and the same again': [
      ['refresh', 0, 1, successor('a')],
      ['refresh', 2, 3, successor('a')],
    ],
    'dead after it was ended': [
      ['revoke', 0, 1, done],
      ['introspect', 2, 3, dead],
      ['refresh', 2, 3, refused],
    ],
    'either while it is being ended': [
      ['revoke', 0, 10, done],
      ['introspect', 5, 6, alive],
      ['introspect', 5, 6, dead],
      ['refresh', 1, 2, refused],
    ],
    'either when nobody knows whether it was ended': [
      ['revoke', 0, 1, { kind: 'lost' }],
      ['introspect', 5, 6, alive],
      ['refresh', 7, 8, refused],
    ],
    'away and lost': [
      ['refresh', 0, 1, { kind: 'away' }],
      ['introspect', 0, 1, { kind: 'lost' }],
    ],
  };
  for (const [name, rows] of Object.entries(cases)) it(name, () => assert.deepEqual(violations(...rows), []));
});

describe('a history that shows', () => {
  const cases: [name: string, words: RegExp, ...rows: Row[]][] = [
    ['a resurrection, by introspection', /was alive/, ['revoke', 0, 1, done], ['introspect', 2, 3, alive]],
    ['a resurrection, by a refresh', /was alive/, ['sign-out', 0, 1, done], ['refresh', 2, 3, successor('a')]],
    ['an honest client signed out', /honest client/, ['refresh', 0, 1, refused], ['revoke', 2, 3, done]],
    ['a live token called inactive', /honest client/, ['introspect', 0, 1, dead]],
    ['two successors', /second successor/, ['refresh', 0, 1, successor('a')], ['refresh', 0, 1, successor('b')]],
    ['an answer no client should meet', /answered 500/, ['refresh', 0, 1, { kind: 'strange', detail: 'answered 500' }]],
  ];
  for (const [name, words, ...rows] of cases)
    it(name, () => {
      const [found, ...more] = violations(...rows);
      assert.match(found ?? '', words);
      assert.deepEqual(more, []);
    });
});

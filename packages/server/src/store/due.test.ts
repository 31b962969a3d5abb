import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillSome, findDue, judgeGrant, judgeSession, type LookBounds, type Verdict } from './due.ts';

const now = 1000;

test('what an entry of a grant is worth', () => {
  const cases: [Parameters<typeof judgeGrant>[0], Verdict][] = [
    [undefined, 'gone'],
    [{ idle_at: 5, ends_at: 5, ended_at: 7 }, 'gone'],
    [{ idle_at: now, ends_at: 5000, ended_at: null }, 'lapsed'],
    [{ idle_at: null, ends_at: now, ended_at: null }, 'lapsed'],
    [{ idle_at: now + 1, ends_at: 5000, ended_at: null }, now + 1],
    [{ idle_at: 9000, ends_at: 5000, ended_at: null }, 5000],
    [{ idle_at: null, ends_at: 5000, ended_at: null }, 5000],
  ];
  for (const [limits, verdict] of cases) assert.equal(judgeGrant(limits, now), verdict, JSON.stringify(limits));
});

test('what an entry of a session is worth', () => {
  const cases: [Parameters<typeof judgeSession>[0], Verdict][] = [
    [undefined, 'gone'],
    [{ sso_until: 9000, ends_at: 9000, ended_at: 7, carried_until: 9000 }, 'gone'],
    [{ sso_until: 9000, ends_at: now, ended_at: null, carried_until: 9000 }, 'lapsed'],
    [{ sso_until: now, ends_at: 9000, ended_at: null, carried_until: null }, 'lapsed'],
    [{ sso_until: now, ends_at: 9000, ended_at: null, carried_until: now }, 'lapsed'],
    [{ sso_until: now, ends_at: 9000, ended_at: null, carried_until: 2000 }, 2000],
    [{ sso_until: now, ends_at: 1500, ended_at: null, carried_until: 2000 }, 1500],
    [{ sso_until: 3000, ends_at: 9000, ended_at: null, carried_until: null }, 3000],
  ];
  for (const [limits, verdict] of cases) assert.equal(judgeSession(limits, now), verdict, JSON.stringify(limits));
});

test('entries are gone through once, to the limit or the end', async () => {
  const asked: LookBounds[] = [];
  const look = async (bounds: LookBounds) => {
    asked.push(bounds);
    const id = `e${asked.length}`;
    return { lapsed: [id], ...(asked.length < 4 && { last: { dueAt: asked.length, id } }) };
  };
  assert.deepEqual(await findDue('grants', now, 9, look), ['e1', 'e2', 'e3', 'e4']);
  assert.deepEqual(
    asked.map(({ after, most }) => [after.id, most]),
    [
      ['', 9],
      ['e1', 8],
      ['e2', 7],
      ['e3', 6],
    ],
  );
  asked.length = 0;
  assert.deepEqual(await findDue('grants', now, 2, look), ['e1', 'e2']);
});

test('entries of an older database are made a part at a time', async () => {
  let left = 20;
  const fill = async () => left-- === 0;
  assert.equal(await fillSome(fill), false);
  assert.ok(left > 0);
  assert.equal(await fillSome(fill), true);
});

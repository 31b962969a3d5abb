import assert from 'node:assert/strict';
import { test } from 'node:test';
import { visibleJson } from './visible-json.ts';

test('what moves a cursor, turns the order or cannot be seen is escaped, and reads back the same', () => {
  for (const character of [
    '\u007f',
    '\u0085',
    '\u009b',
    '\u00ad',
    '\u200b',
    '\u202e',
    '\u2066',
    '\u2028',
    '\ufeff',
    '\u{e0041}',
  ]) {
    const value = { [`a${character}b`]: `ä 日本 🙂\n"${character}"` };
    const shown = visibleJson(JSON.stringify(value));
    assert.equal(shown.includes(character), false);
    assert.deepEqual(JSON.parse(shown), value);
    assert.match(shown, /ä 日本 🙂/);
  }
});

test('everything else, the end of the line included, stays as it is', () => {
  const line = `${JSON.stringify({ name: 'Ada Ünal', note: 'a\nb\u001b' })}\n`;
  assert.equal(visibleJson(line), line);
});

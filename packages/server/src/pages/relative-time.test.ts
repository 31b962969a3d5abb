import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Language } from './language.ts';
import { duration, exactTime, relativeTime, timeAgo } from './relative-time.ts';

const now = 1_795_269_600;

const times: readonly (readonly [offset: number, Language, string])[] = [
  [0, 'en', 'now'],
  [-1, 'en', '1 second ago'],
  [-59, 'en', '59 seconds ago'],
  [-60, 'en', '1 minute ago'],
  [-300, 'en', '5 minutes ago'],
  [-3599, 'en', '59 minutes ago'],
  [-3600, 'en', '1 hour ago'],
  [-86_399, 'en', '23 hours ago'],
  [-86_400, 'en', '1 day ago'],
  [-90 * 86_400, 'en', '90 days ago'],
  [750, 'en', 'in 12 minutes'],
  [0, 'de', 'jetzt'],
  [-300, 'de', 'vor 5 Minuten'],
  [-2 * 86_400, 'de', 'vor 2 Tagen'],
];

for (const [offset, language, expected] of times) {
  test(`${offset} s from now reads "${expected}"`, () => {
    assert.equal(relativeTime(now + offset, now, language), expected);
  });
}

const durations: readonly (readonly [seconds: number, Language, string])[] = [
  [0, 'en', '0 s'],
  [-5, 'en', '0 s'],
  [30, 'en', '30 s'],
  [60, 'en', '1 min'],
  [750, 'en', '12 min 30 s'],
  [3600, 'en', '1 h'],
  [3605, 'en', '1 h'],
  [3900, 'en', '1 h 5 min'],
  [43_200, 'en', '12 h'],
  [86_400, 'en', '1 day'],
  [93_600, 'en', '1 day 2 h'],
  [30 * 86_400, 'en', '30 days'],
  [30 * 86_400, 'de', '30 Tage'],
  [86_400, 'de', '1 Tag'],
];

for (const [seconds, language, expected] of durations) {
  test(`a duration of ${seconds} s reads "${expected}"`, () => {
    assert.equal(duration(seconds, language), expected);
  });
}

test('the exact time says its zone', () => {
  assert.equal(exactTime(now, 'en'), '21 Nov 2026, 14:00:00 UTC');
  assert.equal(exactTime(now, 'de'), '21. Nov. 2026, 14:00:00 UTC');
});

test('a time stands in words, exactly on hover, and for machines', () => {
  assert.equal(
    timeAgo(now - 300, now, 'en').toString(),
    '<time datetime="2026-11-21T13:55:00Z" title="21 Nov 2026, 13:55:00 UTC">5 minutes ago</time>',
  );
});

test('a use after now, as a skewed clock tells it, reads as now', () => {
  assert.match(timeAgo(now + 3, now, 'en').toString(), />now</);
});

import type { Seconds } from '@tessera/protocol';
import { type Language, wordsOf } from './language.ts';
import { html, type Markup } from './markup.ts';
import { oncePer } from './once-per.ts';
import { pluralForm } from './words.ts';

const units = [
  { unit: 'day', length: 86_400 },
  { unit: 'hour', length: 3600 },
  { unit: 'minute', length: 60 },
  { unit: 'second', length: 1 },
] as const;

const relativeTimes = oncePer((language: Language) => new Intl.RelativeTimeFormat(language, { numeric: 'always' }));
const relativeToNow = oncePer((language: Language) => new Intl.RelativeTimeFormat(language, { numeric: 'auto' }));
const exactTimes = oncePer(
  (language: Language) =>
    new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, {
      day: 'numeric',
      month: 'short',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hour12: false,
      timeZone: 'UTC',
    }),
);

/** How long ago (or in how long) a time is, in its largest unit: "5 minutes ago", "in 3 days"; "now" within the same second. Rounds towards now. */
export function relativeTime(time: Seconds, now: Seconds, language: Language): string {
  const distance = time - now;
  const { unit, length } = units.find((one) => Math.abs(distance) >= one.length) ?? { unit: 'second', length: 1 };
  const relative = distance === 0 ? relativeToNow(language) : relativeTimes(language);
  return relative.format(Math.trunc(distance / length), unit);
}

/** A duration in its two largest units: "12 min 30 s", "7 days", "1 h 5 min". Units that are zero are left out, but for "0 s". */
export function duration(length: Seconds, language: Language): string {
  const words = wordsOf(language).time;
  let rest = Math.max(0, Math.trunc(length));
  const parts = units.map(({ unit, length: one }) => {
    const n = Math.floor(rest / one);
    rest -= n * one;
    return { unit, n };
  });
  const first = parts.findIndex(({ n }) => n > 0);
  if (first === -1) return pluralForm(words.second, 0, language);
  const shown = parts.slice(first, first + 2).filter(({ n }) => n > 0);
  return shown.map(({ unit, n }) => pluralForm(words[unit], n, language)).join(' ');
}

/** The exact time in a language, in UTC, which it says: "21 Nov 2026, 14:05:12 UTC". */
export function exactTime(time: Seconds, language: Language): string {
  return `${exactTimes(language).format(new Date(time * 1000))} UTC`;
}

/**
 * A past time as a `<time>` element: relative words, the exact time on hover and in the machine-readable attribute. A time after `now`, as from
 * a skewed clock, reads as now.
 */
export function timeAgo(time: Seconds, now: Seconds, language: Language): Markup {
  const machineReadable = `${new Date(time * 1000).toISOString().slice(0, 19)}Z`;
  const words = relativeTime(Math.min(time, now), now, language);
  return html`<time datetime="${machineReadable}" title="${exactTime(time, language)}">${words}</time>`;
}

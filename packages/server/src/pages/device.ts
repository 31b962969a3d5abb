import { type Language, wordsOf } from './language.ts';
import { fillText } from './words.ts';

const longestRead = 512;

// Order matters: most browsers also claim to be Chrome, and all but Firefox claim to be Safari.
const browsers: readonly (readonly [sign: RegExp, name: string])[] = [
  [/\b(?:Edg|EdgA|EdgiOS|Edge)\//, 'Edge'],
  [/\b(?:OPR|OPT|OPX|OPiOS)\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bVivaldi\//, 'Vivaldi'],
  [/\bYaBrowser\//, 'Yandex Browser'],
  [/\bDuckDuckGo\//, 'DuckDuckGo'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\b(?:Chrome|Chromium|CriOS|HeadlessChrome)\//, 'Chrome'],
  [/\bVersion\/[\d.]+ .*\bSafari\//, 'Safari'],
  [/\b(?:MSIE |Trident\/)/, 'Internet Explorer'],
];

// Order matters here too: an iPhone says "like Mac OS X", Android says "Linux".
const systems: readonly (readonly [sign: RegExp, name: string])[] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bWindows\b/, 'Windows'],
  [/\b(?:Macintosh|Mac OS X|Darwin)\b/, 'macOS'],
  [/\bLinux\b|\bX11\b/, 'Linux'],
];

/**
 * Names a device in words people recognise, from its User-Agent header: "Firefox on Linux". Programs that are no browsers go by the product
 * they name first: "curl". Versions are left out, they change under a session that stays the same. The header comes from outside and proves
 * nothing. Source: RFC 9110 section 10.1.5.
 */
export function deviceName(userAgent: string | undefined, language: Language = 'en'): string {
  const { device } = wordsOf(language);
  const agent = (userAgent ?? '').slice(0, longestRead);
  const software = nameIn(browsers, agent) ?? productOf(agent);
  const system = nameIn(systems, agent);
  if (software !== undefined && system !== undefined) return fillText(device.on, { software, system });
  return software ?? system ?? device.unknown;
}

function nameIn(table: readonly (readonly [RegExp, string])[], agent: string): string | undefined {
  return table.find(([sign]) => sign.test(agent))?.[1];
}

function productOf(agent: string): string | undefined {
  const product = /^([A-Za-z][A-Za-z0-9._-]{0,39})(?:\/|$|\s)/.exec(agent)?.[1];
  return product === 'Mozilla' ? undefined : product;
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceName } from './device.ts';

const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)';
const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)';
const windows = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)';
const android = 'Mozilla/5.0 (Linux; Android 15; Pixel 9)';
const iPhone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)';
const iPad = 'Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)';

const cases: readonly (readonly [userAgent: string | undefined, name: string])[] = [
  ['Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0', 'Firefox on Linux'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0', 'Firefox on Windows'],
  ['Mozilla/5.0 (Android 14; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0', 'Firefox on Android'],
  [`${iPhone} FxiOS/143.0 Mobile/15E148 Safari/605.1.15`, 'Firefox on iPhone'],
  [`${windows} ${webkit} Chrome/140.0.0.0 Safari/537.36`, 'Chrome on Windows'],
  [`${mac} ${webkit} Chrome/140.0.0.0 Safari/537.36`, 'Chrome on macOS'],
  [`${android} ${webkit} Chrome/140.0.0.0 Mobile Safari/537.36`, 'Chrome on Android'],
  [`Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${webkit} Chrome/140.0.0.0 Safari/537.36`, 'Chrome on ChromeOS'],
  [`Mozilla/5.0 (X11; Linux x86_64) ${webkit} HeadlessChrome/140.0.0.0 Safari/537.36`, 'Chrome on Linux'],
  [`${iPad} CriOS/140.0 Mobile/15E148 Safari/604.1`, 'Chrome on iPad'],
  [`${windows} ${webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0`, 'Edge on Windows'],
  [`${iPhone} Version/18.0 EdgiOS/140.0 Mobile/15E148 Safari/604.1`, 'Edge on iPhone'],
  [`${windows} ${webkit} Chrome/138.0.0.0 Safari/537.36 OPR/122.0.0.0`, 'Opera on Windows'],
  [`${android} ${webkit} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`, 'Samsung Internet on Android'],
  [`${mac} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15`, 'Safari on macOS'],
  [`${iPhone} Version/18.6 Mobile/15E148 Safari/604.1`, 'Safari on iPhone'],
  ['Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko', 'Internet Explorer on Windows'],
  ['curl/8.5.0', 'curl'],
  ['node', 'node'],
  ['hearth-cli/2.1.0 (linux; x64)', 'hearth-cli'],
  ['okhttp/4.12.0', 'okhttp'],
  ['HearthRecipes/7 CFNetwork/3826 Darwin/25.0.0', 'HearthRecipes on macOS'],
  ['Mozilla/5.0 (X11; Linux x86_64)', 'Linux'],
  ['Mozilla/5.0', 'Unknown device'],
  ['', 'Unknown device'],
  [undefined, 'Unknown device'],
  ['<script>alert(1)</script>', 'Unknown device'],
  ['\u202egnp.exe', 'Unknown device'],
  [`${'a'.repeat(5000)}/1`, 'Unknown device'],
];

for (const [userAgent, name] of cases) {
  test(`${userAgent?.slice(0, 90)} is called "${name}"`, () => {
    assert.equal(deviceName(userAgent), name);
  });
}

test('a device is named in the language asked for', () => {
  assert.equal(deviceName(`${windows} ${webkit} Chrome/140.0.0.0 Safari/537.36`, 'de'), 'Chrome auf Windows');
  assert.equal(deviceName(undefined, 'de'), 'Unbekanntes Gerät');
});

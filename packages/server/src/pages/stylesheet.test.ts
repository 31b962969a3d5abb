import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultBrand, parseBrand } from './brand.ts';
import { type Colour, contrastRatio, parseColour } from './colour.ts';
import { darkPalette, lightPalette, type Palette } from './palette.ts';
import { stylesheet, stylesheetVersion } from './stylesheet.ts';

test('contrast is measured as WCAG measures it', () => {
  assert.equal(contrastRatio('#000000', '#ffffff'), 21);
  assert.equal(contrastRatio('#777777', '#ffffff').toFixed(2), '4.48');
});

const accents: readonly Colour[] = [
  defaultBrand.accent,
  '#000000',
  '#ffffff',
  '#ffdd00',
  '#0057ff',
  '#00ff88',
  '#7f7f7f',
  '#14161a',
];

const themes: readonly (readonly [string, (accent: Colour) => Palette])[] = [
  ['light', (accent) => lightPalette({ ...defaultBrand, accent })],
  ['dark', (accent) => darkPalette({ ...defaultBrand, accentDark: accent })],
  ['dark, derived', (accent) => darkPalette(parseBrand({ accent }))],
];

for (const [theme, paletteOf] of themes) {
  for (const accent of accents) {
    test(`text is AAA and borders are visible in the ${theme} theme with the accent ${accent}`, () => {
      const palette = paletteOf(accent);
      for (const text of ['ink', 'muted', 'accentText'] as const) {
        for (const ground of ['paper', 'surface'] as const) {
          const ratio = contrastRatio(palette[text], palette[ground]);
          assert.ok(ratio >= 7, `${text} on ${ground}: ${ratio.toFixed(2)}`);
        }
      }
      assert.ok(contrastRatio(palette.onFill, palette.fill) >= 7, 'words of a button');
      for (const sign of ['line', 'amber', 'green'] as const) {
        const ratio = contrastRatio(palette[sign], palette.surface);
        assert.ok(ratio >= 3, `${sign} on surface: ${ratio.toFixed(2)}`);
      }
    });
  }
}

test('the default look is the one of the brand', () => {
  const light = lightPalette(defaultBrand);
  const dark = darkPalette(defaultBrand);
  assert.deepEqual([light.ink, light.paper, light.accent], ['#14161a', '#fbfaf8', '#a63d2f']);
  assert.deepEqual([dark.paper, dark.accent], ['#15171b', '#e0806f']);
});

test('only a colour is a colour', () => {
  assert.equal(parseColour(' #ABC '), '#aabbcc');
  assert.equal(parseColour('#A63D2F'), '#a63d2f');
  for (const text of ['', 'red', '#ab', '#abcd', '#12345g', 'url(https://evil.example)', '#fff;} body{display:none']) {
    assert.equal(parseColour(text), undefined, text);
  }
});

test('a brand takes name, accent and logo; what is missing is the default', () => {
  assert.deepEqual(parseBrand({}), { ...defaultBrand, logoUrl: undefined });
  const brand = parseBrand({ name: ' Hearth ', accent: '#0057FF', logoUrl: '/assets/hearth.svg' });
  assert.equal(brand.name, 'Hearth');
  assert.equal(brand.accent, '#0057ff');
  assert.notEqual(brand.accentDark, defaultBrand.accentDark);
});

test('a brand that would reach elsewhere or break the stylesheet is refused', () => {
  for (const input of [
    { logoUrl: 'https://elsewhere.example/logo.png' },
    { logoUrl: '//elsewhere.example/logo.png' },
    { logoUrl: '/\\elsewhere.example' },
    { logoUrl: 'javascript:alert(1)' },
    { logoUrl: 'data:text/html,hello' },
    { accent: 'red' },
    { accent: '#fff}' },
    { name: '' },
    { acent: '#ffffff' },
  ]) {
    assert.throws(() => parseBrand(input), JSON.stringify(input));
  }
});

test('the stylesheet fetches nothing, moves nothing, and uses only colours of the palette', () => {
  const css = stylesheet(defaultBrand);
  assert.doesNotMatch(css, /url\(|@import|@font-face|https?:/);
  assert.doesNotMatch(css, /transition|animation|gradient/);
  const rules = css.slice(css.indexOf('--sans'));
  assert.doesNotMatch(rules, /#[0-9a-f]{3,6}\b/i);
  const used = new Set([...css.matchAll(/var\(--([a-z-]+)\)/g)].map(([, name]) => name));
  for (const name of used) assert.ok(css.includes(`--${name}:`), `--${name} is used but not set`);
});

test('text has four sizes', () => {
  const sizes = [...stylesheet(defaultBrand).matchAll(/--(?:small|normal|large|title): ([\d.]+)rem/g)].map(
    ([, rem]) => Number(rem) * 16,
  );
  assert.deepEqual(sizes, [14, 16, 20, 28]);
});

test('the address of the stylesheet changes with the brand, and only then', () => {
  assert.equal(stylesheetVersion(defaultBrand), stylesheetVersion({ ...defaultBrand }));
  assert.equal(stylesheetVersion(defaultBrand), stylesheetVersion({ ...defaultBrand, name: 'Other' }));
  assert.notEqual(stylesheetVersion(defaultBrand), stylesheetVersion({ ...defaultBrand, accent: '#0057ff' }));
});

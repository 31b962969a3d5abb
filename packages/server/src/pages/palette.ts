import type { Brand } from './brand.ts';
import { type Colour, contrastRatio, legible } from './colour.ts';
import { oncePer } from './once-per.ts';

/** The colours of one theme, by what they are for. */
export type Palette = {
  /** The page. */
  readonly paper: Colour;
  /** Cards and fields on the page. */
  readonly surface: Colour;
  /** Text. */
  readonly ink: Colour;
  /** Text that steps back; as legible as text must be. */
  readonly muted: Colour;
  /** Borders one must see, such as those of fields. */
  readonly line: Colour;
  /** Borders that only please the eye. */
  readonly hairline: Colour;
  /** The operator's colour as given: the mark and other signs. */
  readonly accent: Colour;
  /** The operator's colour moved as far as text needs: underlines, destructive buttons. */
  readonly accentText: Colour;
  /** The accent under the words of a button, and the words. */
  readonly fill: Colour;
  readonly onFill: Colour;
  /** State: done, live. */
  readonly green: Colour;
  /** State: look here. */
  readonly amber: Colour;
};

const light = {
  paper: '#fbfaf8',
  surface: '#ffffff',
  ink: '#14161a',
  muted: '#54514b',
  line: '#86827a',
  hairline: '#e2dfd9',
  green: '#1f5f38',
  amber: '#8a5200',
} as const satisfies Partial<Palette>;

const dark = {
  paper: '#15171b',
  surface: '#1b1e23',
  ink: '#ece9e4',
  muted: '#b6b2aa',
  line: '#7d7972',
  hairline: '#31353c',
  green: '#86c9a0',
  amber: '#e5b567',
} as const satisfies Partial<Palette>;

const textContrast = 7;

// An accent is tried in dozens of shades, and each page names some of the colours.
const lightFor = oncePer((accent: Colour): Palette => ({ ...light, ...accents(accent, light) }));
const darkFor = oncePer((accent: Colour): Palette => ({ ...dark, ...accents(accent, dark) }));

/** The colours of the light theme for a brand. Text is AAA on paper and surface whatever accent an operator picks. Source: WCAG 2.2 section 1.4.6. */
export function lightPalette(brand: Brand): Palette {
  return lightFor(brand.accent);
}

/** As `lightPalette`, for the dark theme. */
export function darkPalette(brand: Brand): Palette {
  return darkFor(brand.accentDark);
}

function accents(accent: Colour, theme: Pick<Palette, 'paper' | 'surface' | 'ink'>) {
  const onFill: Colour = contrastRatio(light.ink, accent) > contrastRatio('#ffffff', accent) ? light.ink : '#ffffff';
  const away = onFill === light.ink ? '#ffffff' : '#000000';
  return {
    accent,
    accentText: legible(accent, theme.ink, [theme.paper, theme.surface], textContrast),
    fill: legible(accent, away, [onFill], textContrast),
    onFill,
  };
}

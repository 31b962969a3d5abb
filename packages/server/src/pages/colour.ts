/** A colour as `#rrggbb`, in lower case. */
export type Colour = `#${string}`;

/** Reads `#rgb` or `#rrggbb`; undefined for anything else, so that nothing but a colour ever reaches the stylesheet. */
export function parseColour(text: string): Colour | undefined {
  const digits = /^#([0-9a-f]{3}|[0-9a-f]{6})$/.exec(text.trim().toLowerCase())?.[1];
  if (digits === undefined) return undefined;
  return digits.length === 6 ? `#${digits}` : `#${[...digits].map((digit) => digit + digit).join('')}`;
}

/** The contrast of two colours, 1 to 21: 4.5 is AA for text, 7 is AAA, 3 is enough for borders. Source: WCAG 2.2 section 1.4.3, 1.4.6, 1.4.11. */
export function contrastRatio(a: Colour, b: Colour): number {
  const [lighter, darker] = [luminance(a), luminance(b)].sort((one, other) => other - one) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

/** Moves a colour towards another in small steps until it has the contrast on every background; the other itself when nothing nearer has. */
export function legible(colour: Colour, towards: Colour, backgrounds: readonly Colour[], ratio: number): Colour {
  const steps = Array.from({ length: 51 }, (_, step) => mixColours(colour, towards, step / 50));
  return steps.find((step) => backgrounds.every((background) => contrastRatio(step, background) >= ratio)) ?? towards;
}

/** Mixes two colours; `share` is how much of the second, 0 to 1. */
export function mixColours(first: Colour, second: Colour, share: number): Colour {
  const [from, to] = [channels(first), channels(second)];
  const mixed = from.map((value, index) => Math.round(value + (to[index]! - value) * share));
  return `#${mixed.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}

function luminance(colour: Colour): number {
  const [red, green, blue] = channels(colour).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function channels(colour: Colour): number[] {
  return [1, 3, 5].map((start) => Number.parseInt(colour.slice(start, start + 2), 16));
}

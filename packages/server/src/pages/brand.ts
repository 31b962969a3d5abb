import * as z from 'zod';
import { type Colour, legible, parseColour } from './colour.ts';

/** What an operator may change about the look: everything else derives from it. */
export type Brand = {
  readonly name: string;
  /** The accent on light pages. */
  readonly accent: Colour;
  /** The accent on dark pages. */
  readonly accentDark: Colour;
  /** A path on this server, or a `data:image/` URL: the pages fetch nothing from elsewhere. */
  readonly logoUrl?: string | undefined;
};

/** The look without an operator's changes: Tessera in madder. */
export const defaultBrand: Brand = { name: 'Tessera', accent: '#a63d2f', accentDark: '#e0806f' };

const colourSchema = z.string().transform((text, context): Colour => {
  const colour = parseColour(text);
  if (colour !== undefined) return colour;
  context.addIssue({ code: 'custom', message: `expected a colour such as "#a63d2f", got ${JSON.stringify(text)}` });
  return z.NEVER;
});

const logoSchema = z
  .string()
  .regex(
    /^(?:\/(?![/\\])|data:image\/)[^\s"'<>\\]*$/,
    'expected a path on this server, such as "/assets/logo.svg", or a data:image/ URL',
  );

/**
 * Checks an operator's brand. Everything is optional; an accent without `accentDark` gets one that reads well on dark pages. Composes into the
 * server's configuration schema.
 */
export const brandSchema = z
  .strictObject({
    name: z.string().trim().min(1).max(60).optional(),
    accent: colourSchema.optional(),
    accentDark: colourSchema.optional(),
    logoUrl: logoSchema.optional(),
  })
  .transform((input): Brand => {
    const accent = input.accent ?? defaultBrand.accent;
    const accentDark = input.accentDark ?? (input.accent ? darkAccentOf(input.accent) : defaultBrand.accentDark);
    return { name: input.name ?? defaultBrand.name, accent, accentDark, logoUrl: input.logoUrl };
  });

/** As `brandSchema`, for one value; throws a `ZodError` that names the field. */
export function parseBrand(input: unknown): Brand {
  return brandSchema.parse(input);
}

function darkAccentOf(accent: Colour): Colour {
  return legible(accent, '#ffffff', ['#15171b'], 6);
}

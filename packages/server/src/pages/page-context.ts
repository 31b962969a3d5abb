import type { Seconds } from '@tessera/protocol';
import type { Brand } from './brand.ts';
import type { Language } from './language.ts';

/** What every page needs beside its model. The caller decides all of it; views read no clock and no configuration. */
export type PageContext = {
  readonly language: Language;
  readonly brand: Brand;
  /** The path the issuer lives under: '' or '/auth', without a slash at its end. */
  readonly base: string;
  /** From `stylesheetVersion(brand)`; part of the stylesheet's address, which may be cached for good. */
  readonly stylesheetVersion: string;
  readonly now: Seconds;
  /**
   * Path and query of this page, for the links that show it in another language (they set `ui_locales`). It must answer GET; without it, as on
   * the answer to a form, there are no such links.
   */
  readonly path?: string | undefined;
};

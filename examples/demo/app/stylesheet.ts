import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultBrand } from '../../../packages/server/src/pages/brand.ts';
import { stylesheet } from '../../../packages/server/src/pages/stylesheet.ts';

/** The look of the server's own pages, colours and all, and what the demo adds to it: one look for everything. */
export function demoStylesheet(): string {
  return `${stylesheet(defaultBrand)}\n${readFileSync(join(import.meta.dirname, 'demo.css'), 'utf8')}`;
}

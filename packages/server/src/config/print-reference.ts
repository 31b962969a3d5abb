// Writes the reference of all settings into docs/configuration.md: node packages/server/src/config/print-reference.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { withReference } from './reference.ts';

const path = new URL('../../../../docs/configuration.md', import.meta.url);
writeFileSync(path, withReference(readFileSync(path, 'utf8')));

// Works the model through, prints its tables and writes them into docs/scale.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { figuresDocument, scaleTables, withScaleTables } from './document.ts';
import { readWorkload } from './figures.ts';

const path = resolve(import.meta.dirname, '../scale.md');
const tables = scaleTables();
console.log(`seed ${readWorkload().seed}`);
for (const [name, content] of Object.entries(tables)) console.log(`\n${name}\n\n${content}`);
writeFileSync(path, withScaleTables(readFileSync(path, 'utf8'), tables));
writeFileSync(resolve(import.meta.dirname, 'figures.md'), figuresDocument());
console.log(`\nwrote ${path} and figures.md beside the model`);

// Writes the documents that are made from the code.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { generatedDocuments } from './generated-documents.ts';

for (const [path, text] of Object.entries(generatedDocuments())) {
  writeFileSync(resolve(import.meta.dirname, '..', path), text);
  console.log(`wrote ${path}`);
}

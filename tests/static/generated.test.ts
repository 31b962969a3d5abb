import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { it } from 'node:test';
import { generatedDocuments } from '../../scripts/generated-documents.ts';

for (const [path, text] of Object.entries(generatedDocuments()))
  it(`${path} says what the code says; run "npm run generate" after a change`, () => {
    assert.equal(readFileSync(resolve(import.meta.dirname, '../..', path), 'utf8'), text);
  });

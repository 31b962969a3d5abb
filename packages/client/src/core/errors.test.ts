import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { errorCodes, isClientError, TesseraClientError } from './errors.ts';

const folders = [new URL('./', import.meta.url), new URL('../browser/', import.meta.url)];
const sources = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.ts') && !name.includes('.test.') && name !== 'errors.ts')
    .map((name) => readFileSync(new URL(name, folder), 'utf8')),
);

for (const [code, entry] of Object.entries(errorCodes)) {
  test(`the error code ${code} says what it means and what to do, and is in use`, () => {
    assert.match(entry.means, /^[A-Z].+\.$/s);
    assert.match(entry.remedy, /^[A-Z].+\.$/s);
    assert.ok(
      sources.some((source) => source.includes(`'${code}'`)),
      'no source file uses it',
    );
  });
}

test('isClientError knows its own errors, by code if asked', () => {
  const error = new TesseraClientError('network', 'no answer');
  assert.equal(isClientError(error), true);
  assert.equal(isClientError(error, 'network', 'refresh_refused'), true);
  assert.equal(isClientError(error, 'refresh_refused'), false);
  assert.equal(isClientError(new Error('network')), false);
});

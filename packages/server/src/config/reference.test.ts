import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { flattenKeys, listConfigKeys } from './key-list.ts';
import { configReference, withReference } from './reference.ts';

const document = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8');

test('docs/configuration.md holds the reference as the schema has it; `npm run generate` after a change', () => {
  assert.equal(withReference(document), document);
});

test('the reference has a row for each key that is a value, and a heading or row for each section', () => {
  const text = configReference();
  for (const { path, kind } of flattenKeys(listConfigKeys())) {
    const inTable = path.replace(
      /^(?:listen|brand|lifetimes|throttle|keys|users\[\]|clients\[\]|resourceServers\[\])\./,
      '',
    );
    const isThere = text.includes(`| \`${inTable}\` |`) || text.includes(`### \`${path}\``);
    assert.ok(isThere, `${path} (${kind}) is missing`);
  }
});

test('a document without the marks is refused', () => {
  assert.throws(() => withReference('# Configuration'), TypeError);
});

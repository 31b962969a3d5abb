import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withVerification } from './database-ssl-mode.ts';

test('whoever asks for TLS has the server prove who it is, unless they choose the meaning of libpq', () => {
  const cases: [given: string, becomes: string][] = [
    ['?sslmode=require', '?sslmode=verify-full'],
    ['?a=b&sslmode=prefer&sslrootcert=/ca.crt', '?a=b&sslmode=verify-full&sslrootcert=/ca.crt'],
    ['?sslmode=verify-ca', '?sslmode=verify-full'],
    ['?sslmode=verify-full', '?sslmode=verify-full'],
    ['?sslmode=disable', '?sslmode=disable'],
    ['?sslmode=no-verify', '?sslmode=no-verify'],
    ['?sslmode=require&uselibpqcompat=true', '?sslmode=require&uselibpqcompat=true'],
    ['', ''],
  ];
  for (const [given, becomes] of cases)
    assert.equal(withVerification(`postgres://h/db${given}`), `postgres://h/db${becomes}`);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '@tessera/server';
import { readSettings } from './settings.ts';
import { demoConfig } from './tessera.config.ts';

test('the usual ports are 4000 to 4003, and each can be moved by a variable of its own', () => {
  assert.deepEqual(Object.values(readSettings({}).ports), [4000, 4001, 4002, 4003]);
  const moved = readSettings({ DEMO_PORT_API: '5002' });
  assert.equal(moved.api, 'http://localhost:5002');
  assert.equal(moved.issuer, 'http://localhost:4000');
});

test('two programs cannot share a port, and a port is a number', () => {
  assert.throws(() => readSettings({ DEMO_PORT_API: '4000' }), RangeError);
  for (const port of ['0', '65536', 'eighty', '40.5'])
    assert.throws(() => readSettings({ DEMO_PORT_APP: port }), RangeError, port);
});

test("the demo's configuration is one the server accepts, on any ports", () => {
  const secret = (first: string) => `${first}-nOt7a-R3al.secret_0123456789abcdef`;
  const secrets = { api: secret('a'), notes: secret('b'), operator: secret('c') };
  for (const env of [{}, { DEMO_PORT_SERVER: '14000', DEMO_PORT_APP: '14001' }]) {
    const settings = readSettings(env);
    assert.equal(parseConfig(demoConfig(settings, secrets)).issuer, settings.issuer);
  }
});

import { join } from 'node:path';
import { type ConfigFile, defineConfig } from '@tessera/server';
import { legacyRetryWindow } from './legacy-retry-window.ts';
import { demoPassword } from './people.ts';
import type { DemoSecrets, DemoSettings } from './settings.ts';

/**
 * What the demo's server knows: two people, four programs and one API with its rules. Access tokens live for two minutes only, so that there is something
 * to watch.
 */
export function demoConfig(settings: DemoSettings, secrets: DemoSecrets): ConfigFile {
  const { issuer, app, api, notes, ports, data } = settings;
  return defineConfig({
    issuer,
    listen: { host: '127.0.0.1', port: ports.server },
    data: join(data, 'server'),
    logLevel: 'warn',
    lifetimes: { accessToken: 120, idle: 30 * 60, absolute: 8 * 3600, session: 8 * 3600 },
    users: [
      { username: 'ada', password: demoPassword, roles: ['editor'], claims: { name: 'Ada Lovelace' } },
      { username: 'bob', password: demoPassword, claims: { name: 'Bob Moran' } },
    ],
    resourceServers: [
      {
        id: 'orders',
        name: 'Orders',
        // Three programs that accept tokens under the same rules; each token names those it is for.
        audiences: [api, app, notes],
        scopes: {
          'orders:read': { description: 'See your orders' },
          'orders:write': { description: 'Place orders for you' },
        },
        // A scope that stands in a rule is for people with such a role: ada may write, bob may not.
        roles: { editor: ['orders:write'] },
        // Who hears, within a moment, of every session that ends.
        clients: ['demo-api', 'demo-operator', 'demo-notes'],
      },
    ],
    clients: [
      {
        client_id: 'demo-spa',
        client_name: 'Demo app',
        redirect_uris: [`${app}/callback`],
        post_logout_redirect_uris: [`${app}/signed-out`],
        scope: 'openid profile orders:read orders:write',
      },
      {
        client_id: 'demo-legacy',
        client_name: 'Old app without a key',
        redirect_uris: [`${app}/callback/legacy`],
        scope: 'openid orders:read',
        consent: 'skip',
        lifetimes: { retryWindow: legacyRetryWindow },
      },
      {
        client_id: 'demo-notes',
        client_name: 'Notes',
        client_secret: secrets.notes,
        redirect_uris: [`${notes}/callback`],
        post_logout_redirect_uris: [`${notes}/`],
        scope: 'openid profile',
        consent: 'skip',
      },
      { client_id: 'demo-api', client_secret: secrets.api, grant_types: ['client_credentials'] },
      {
        client_id: 'demo-operator',
        client_secret: secrets.operator,
        grant_types: ['client_credentials'],
        scope: 'tessera:sessions:read tessera:sessions:write tessera:events:read',
      },
    ],
  });
}

import {
  createTesseraClient,
  type DpopKeys,
  indexedDbDpopKeys,
  memoryStorage,
  sessionStorageAdapter,
  type TesseraClient,
  type TesseraClientOptions,
  type TokenStorage,
} from '@tessera/client/browser';
import { settings } from './settings.ts';
import { UnreliableLine } from './unreliable-line.ts';

/** The line to the server and the API; one of the buttons cuts it at the worst moment. */
export const line = new UnreliableLine();

const keys = indexedDbDpopKeys(() => Math.floor(Date.now() / 1000));

const options: TesseraClientOptions = {
  issuer: settings.issuer,
  client_id: 'demo-spa',
  redirect_uri: '/callback',
  post_logout_redirect_uri: '/signed-out',
  scope: 'openid profile orders:read orders:write',
  resource: [settings.api, settings.app],
  storage: sessionStorageAdapter(),
  dpopKeys: keys,
  runtime: { fetch: line.fetch },
};

/** The app of this page: its tokens are bound to a key that nobody can copy. */
export const client: TesseraClient = createTesseraClient(options);

/** An app from before there were keys: whoever has its refresh token has the sign-in. Its tokens are gone at a reload. */
export const legacyClient: TesseraClient = createTesseraClient({
  issuer: settings.issuer,
  client_id: 'demo-legacy',
  redirect_uri: '/callback/legacy',
  scope: 'openid orders:read',
  resource: [settings.api],
  storage: memoryStorage(),
  useBearerTokens: true,
});

/** A client as it would run in a copy of this tab: it starts with the same tokens and key, and knows nothing of this one. */
export function copyOfThisTab(): TesseraClient {
  return createTesseraClient({ ...options, storage: copiedStorage(), dpopKeys: borrowedKeys });
}

/** Copies may use the key, never throw it away. */
const borrowedKeys: DpopKeys = { ...keys, remove: async () => undefined };

function copiedStorage(): TokenStorage {
  const storage = memoryStorage();
  for (const [key, value] of Object.entries(sessionStorage)) void storage.set(key, value);
  return { ...storage, reach: 'tab' };
}

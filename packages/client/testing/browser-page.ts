// Bundled and loaded by the browser tests: makes one client with what the address asks for and hangs it on the window.
import {
  createTesseraClient,
  localStorageAdapter,
  memoryStorage,
  sessionStorageAdapter,
} from '../src/browser/index.ts';

const place = globalThis.location.pathname.split('/').at(-1) ?? '';
const settings = new URLSearchParams(place.replaceAll('+', '&'));
const storages = { local: localStorageAdapter, session: sessionStorageAdapter, memory: memoryStorage };
const issuer = settings.get('issuer') ?? '';
const client = createTesseraClient({
  issuer: decodeURIComponent(issuer),
  client_id: 'web',
  redirect_uri: `/callback/${place}`,
  apiOrigins: [decodeURIComponent(issuer)],
  ...(settings.get('storage') === null
    ? {}
    : { storage: storages[(settings.get('storage') ?? 'memory') as keyof typeof storages]() }),
});
const changes: string[] = [];
const required: string[] = [];
client.onChange(({ reason }) => changes.push(reason));
client.onSignInRequired(({ code }) => required.push(code));
const storage = localStorageAdapter();
const tessera = { client, storage, changes, required, arrived: undefined as string | undefined };
Object.assign(globalThis, { tessera });
tessera.arrived = (await client.handleRedirect()).kind;

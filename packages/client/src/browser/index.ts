export * from '../core/index.ts';
export { indexedDbDpopKeys } from './indexed-db-dpop-keys.ts';
export { localStorageAdapter } from './local-storage-adapter.ts';
export { type Page, windowPage } from './page.ts';
export { sessionStorageAdapter } from './session-storage-adapter.ts';
export {
  createTesseraClient,
  type RedirectResult,
  type SignInOptions,
  type SignOutOptions,
  TesseraClient,
  type TesseraClientOptions,
} from './tessera-client.ts';
export { webLock } from './web-lock.ts';

import { listAll } from '../config/list-all.ts';
import { liveSecretDigests } from '../secrets/client-secret-overlap.ts';
import { sealedUnder } from '../secrets/sealed.ts';
import type { AdminContext } from './operation.ts';

/** What stands under a root key and would be lost when it is refused. */
export type RootKeyUses = {
  /** Signing keys that sign or are announced, by kid. */
  signingKeys: string[];
  /** Clients one of whose secrets is kept under it, by `client_id`; declared ones are not counted, their secrets come from the file. */
  clients: string[];
  /** Resource servers whose HS256 secret is sealed under it, by id; declared ones are not counted. */
  resourceServers: string[];
};

/** Looks for what is sealed or kept under a root key. Refresh tokens are not counted: those under a refused key are refused. */
export async function findRootKeyUses(
  { store, now }: Pick<AdminContext, 'store' | 'now'>,
  id: string,
): Promise<RootKeyUses> {
  const keys = await listAll(store, 'signing_key');
  const clients = await listAll(store, 'client');
  const servers = await listAll(store, 'resource_server');
  return {
    signingKeys: keys
      .filter(({ state }) => state === 'current' || state === 'next')
      .filter(({ encryptedPrivateJwk }) => sealedUnder(encryptedPrivateJwk) === id)
      .map(({ kid }) => kid),
    clients: clients
      .filter(({ declared, secretDigests }) => {
        return !declared && liveSecretDigests(secretDigests, now()).some((digest) => digest.split('.')[0] === id);
      })
      .map(({ clientId }) => clientId),
    resourceServers: servers
      .filter(
        ({ declared, encryptedSecret: sealed }) => !declared && sealed !== undefined && sealedUnder(sealed) === id,
      )
      .map(({ resourceServerId }) => resourceServerId),
  };
}

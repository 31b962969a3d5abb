import { declared } from '../declared.ts';
import { signIn } from '../load/code-flow.ts';
import type { Scenario } from './scenario.ts';

/** A whole sign-in: authorization request, page, password, code; five requests and one argon2id. `limit` is the argon2id alone. */
export const passwordSignIn: Scenario = {
  name: 'password_sign_in',
  subjects: ['tessera', 'oidc-provider', 'limit'],
  onceForAllStores: true,
  smokeOperations: 10,
  async prepare({ usernames, endpoints }) {
    let next = 0;
    return {
      operation: async (caller) => {
        const username = usernames[next++ % usernames.length];
        if (username !== undefined) return signIn(caller, username, declared.user.password);
        return (await caller.post(endpoints.authorize, declared.user.password)).status === 200;
      },
    };
  },
};

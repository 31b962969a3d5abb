import { basicAuthorization, declared } from '../declared.ts';
import type { Scenario } from './scenario.ts';

const headers = { authorization: basicAuthorization(declared.machine) };

function scenario(name: string, { audience, scope }: { audience: string; scope: string }): Scenario {
  const form = `grant_type=client_credentials&scope=${encodeURIComponent(scope)}&resource=${encodeURIComponent(audience)}`;
  return {
    name,
    subjects: ['tessera', 'oidc-provider', 'limit'],
    prepare: async ({ endpoints }) => ({
      operation: async (caller) => {
        const answer = await caller.post(endpoints.token, form, headers);
        return answer.status === 200 && answer.body.includes('"access_token"');
      },
    }),
  };
}

/** A service's own token, signed with ES256. */
export const clientCredentials = scenario('client_credentials', declared.orders);

/** The same, signed with RS256. */
export const clientCredentialsRs256: Scenario = {
  ...scenario('client_credentials_rs256', declared.ledger),
  onceForAllStores: true,
};

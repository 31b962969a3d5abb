import { basicAuthorization, declared } from '../declared.ts';
import { obtainTokens } from './obtain-tokens.ts';
import { everyServer, type Prepared, type Scenario } from './scenario.ts';

const headers = { authorization: basicAuthorization(declared.api) };

/** An API asks about access tokens of many grants. Tessera's are JWTs; the peer introspects none of these, so its are opaque and stored. */
export const introspect: Scenario = {
  name: 'introspect',
  subjects: [...everyServer, 'limit'],
  async prepare(target, { grants }) {
    const tokens = await obtainTokens(target, grants, target.cookies.slice(0, grants), declared.reports);
    return introspections(tokens.map((one) => one.access_token));
  },
};

/** Questions about these access tokens in turn. */
export function introspections(accessTokens: readonly string[]): Prepared {
  const forms = accessTokens.map((token) => `token=${token}`);
  let next = 0;
  return {
    operation: async (caller) => {
      const form = forms[next++ % forms.length] as string;
      const answer = await caller.post(caller.target.endpoints.introspect, form, headers);
      return answer.status === 200 && answer.body.includes('"active":true');
    },
  };
}

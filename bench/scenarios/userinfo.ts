import { obtainTokens } from './obtain-tokens.ts';
import { everyServer, type Scenario } from './scenario.ts';

/** An app asks for the claims of `profile` and `email`, with access tokens of many grants. */
export const userinfo: Scenario = {
  name: 'userinfo',
  subjects: [...everyServer, 'limit'],
  async prepare(target, { grants }) {
    const tokens = await obtainTokens(target, grants, target.cookies.slice(0, grants), undefined);
    const headers = tokens.map((one) => ({ authorization: `Bearer ${one.access_token}` }));
    let next = 0;
    return {
      operation: async (caller) => {
        const answer = await caller.get(target.endpoints.userinfo, headers[next++ % headers.length]);
        return answer.status === 200 && answer.body.includes('"email"');
      },
    };
  },
};

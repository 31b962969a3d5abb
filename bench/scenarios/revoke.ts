import { basicAuthorization, declared } from '../declared.ts';
import { obtainTokens } from './obtain-tokens.ts';
import { everyServer, type Scenario, Turn } from './scenario.ts';

// A server that gives few in that time ends few in a round, too.
const longestWaitMs = 2500;
const headers = { authorization: basicAuthorization(declared.web) };

/** An app ends grants by their refresh tokens; each is used up, so each round gets new ones first. Each grant has a session of its own. */
export const revoke: Scenario = {
  name: 'revoke',
  subjects: everyServer,
  mostOperations: 5000,
  async prepare(target, { grants }) {
    // Not the sessions of the other scenarios: in the peer a session has one grant for each client, and what is revoked here would end theirs.
    const cookies = target.cookies.length > grants ? target.cookies.slice(grants) : target.cookies;
    let turn = new Turn<string>([]);
    return {
      beforeRound: async (operations) => {
        const tokens = await obtainTokens(target, operations, cookies, declared.orders, longestWaitMs);
        turn = new Turn(tokens.map((one) => one.refresh_token));
        return tokens.length;
      },
      operation: async (caller) => {
        const answer = await caller.post(target.endpoints.revoke, `token=${turn.take()}`, headers);
        return answer.status === 200;
      },
    };
  },
};

import { declared } from '../declared.ts';
import { codeFlow } from '../load/code-flow.ts';
import { everyServer, type Scenario, Turn } from './scenario.ts';

/** Single sign-on: a browser with a session gets a code, its app redeems it for access, refresh and ID token. Two requests. */
export const codeFlowSso: Scenario = {
  name: 'code_flow_sso',
  subjects: everyServer,
  async prepare({ cookies }) {
    const turn = new Turn(cookies);
    return {
      operation: async (caller) => {
        const cookie = turn.take() as string;
        turn.putBack(cookie);
        return (await codeFlow(caller, cookie, declared.orders)) !== undefined;
      },
    };
  },
};

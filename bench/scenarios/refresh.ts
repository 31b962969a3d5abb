import { basicAuthorization, declared } from '../declared.ts';
import type { Tokens } from '../load/code-flow.ts';
import type { Caller } from '../load/target.ts';
import { obtainTokens } from './obtain-tokens.ts';
import { everyServer, type Prepared, type Scenario, Turn } from './scenario.ts';

const headers = { authorization: basicAuthorization(declared.web) };
const resource = encodeURIComponent(declared.orders.audience);

/** Rotation: a refresh token for a new one, an access token and an ID token. The grants take turns, so no two callers ever hold the same. */
export const refresh: Scenario = {
  name: 'refresh',
  subjects: everyServer,
  async prepare(target, { grants }) {
    const tokens = await obtainTokens(target, grants, target.cookies.slice(0, grants), declared.orders);
    return rotations(tokens.map((one) => one.refresh_token));
  },
};

/** The same by one caller alone: how long a refresh takes that nobody else's flush carries along. */
export const refreshOneCaller: Scenario = {
  ...refresh,
  name: 'refresh_one_caller',
  subjects: ['tessera', 'oidc-provider'],
  callers: [1],
  measured: 'ms',
  prepare: (target, extent) => refresh.prepare(target, { ...extent, grants: Math.min(extent.grants, 200) }),
};

/** Rotations of these refresh tokens in turn. */
export function rotations(refreshTokens: readonly string[]): Prepared {
  const turn = new Turn(refreshTokens);
  return {
    operation: async (caller) => {
      const token = turn.take();
      const next = token === undefined ? undefined : await rotate(caller, token);
      if (!next) return false;
      turn.putBack(next.refresh_token);
      return next.refresh_token !== token && next.id_token !== undefined;
    },
  };
}

/** One rotation; undefined when it was refused. */
export async function rotate(caller: Caller, refreshToken: string): Promise<Tokens | undefined> {
  const form = `grant_type=refresh_token&refresh_token=${refreshToken}&resource=${resource}`;
  const answer = await caller.post(caller.target.endpoints.token, form, headers);
  return answer.status === 200 ? (JSON.parse(answer.body) as Tokens) : undefined;
}

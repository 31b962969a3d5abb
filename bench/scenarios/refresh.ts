import { basicAuthorization, declared } from '../declared.ts';
import type { Target } from '../load/target.ts';
import { obtainTokens } from './obtain-tokens.ts';
import { type Prepared, type Scenario, Turn } from './scenario.ts';

const headers = { authorization: basicAuthorization(declared.web) };
const resource = encodeURIComponent(declared.orders.audience);

/** Rotation: a refresh token for a new one, an access token and an ID token. The grants take turns, so no two callers ever hold the same. */
export const refresh: Scenario = {
  name: 'refresh',
  subjects: ['tessera', 'oidc-provider'],
  async prepare(target, { grants }) {
    const tokens = await obtainTokens(target, grants, target.cookies.slice(0, grants), declared.orders);
    return rotations(
      target,
      tokens.map((one) => one.refresh_token),
    );
  },
};

/** The same by one caller alone: how long a refresh takes that nobody else's flush carries along. */
export const refreshOneCaller: Scenario = {
  ...refresh,
  name: 'refresh_one_caller',
  callers: [1],
  measured: 'ms',
  prepare: (target, extent) => refresh.prepare(target, { ...extent, grants: Math.min(extent.grants, 200) }),
};

/** Rotations of these refresh tokens in turn. */
export function rotations({ endpoints }: Target, refreshTokens: readonly string[]): Prepared {
  const turn = new Turn(refreshTokens);
  return {
    operation: async (caller) => {
      const token = turn.take();
      const form = `grant_type=refresh_token&refresh_token=${token}&resource=${resource}`;
      const answer = await caller.post(endpoints.token, form, headers);
      if (answer.status !== 200) return false;
      const next = JSON.parse(answer.body) as { refresh_token: string; id_token?: string };
      turn.putBack(next.refresh_token);
      return next.refresh_token !== token && next.id_token !== undefined;
    },
  };
}

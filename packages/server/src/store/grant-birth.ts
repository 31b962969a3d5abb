import type { GrantRecord } from './records.ts';

/** What `grants.birth` holds. */
export type GrantBirth = Pick<
  GrantRecord,
  | 'scopes'
  | 'resources'
  | 'claims'
  | 'authTime'
  | 'amr'
  | 'acr'
  | 'jkt'
  | 'clientEpoch'
  | 'issuerEpoch'
  | 'secretDigest'
  | 'idleLimit'
  | 'createdAt'
>;

/** The JSON for `grants.birth`. */
export function birthOf(grant: GrantRecord): string {
  const {
    scopes,
    resources,
    claims,
    authTime,
    amr,
    acr,
    jkt,
    clientEpoch,
    issuerEpoch,
    secretDigest,
    idleLimit,
    createdAt,
  } = grant;
  const birth: GrantBirth = {
    scopes,
    resources,
    claims,
    authTime,
    amr,
    acr,
    jkt,
    clientEpoch,
    issuerEpoch,
    secretDigest,
    idleLimit,
    createdAt,
  };
  return JSON.stringify(birth);
}

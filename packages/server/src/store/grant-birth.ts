import type { GrantRecord } from './records.ts';

const fields = [
  'scopes',
  'resources',
  'claims',
  'authTime',
  'amr',
  'acr',
  'jkt',
  'clientEpoch',
  'issuerEpoch',
  'secretDigest',
  'idleLimit',
  'createdAt',
] as const satisfies (keyof GrantRecord)[];

/** What `grants.birth` holds. */
export type GrantBirth = Pick<GrantRecord, (typeof fields)[number]>;

/** The JSON for `grants.birth`. */
export function birthOf(grant: GrantRecord): string {
  return JSON.stringify(Object.fromEntries(fields.map((field) => [field, grant[field]])));
}

import type { RefusalReason, Seconds } from '@tessera/protocol';
import type { ClientRecord, GrantRecord, UserRecord } from '../store/records.ts';

/** What a grant's life hangs on. Its session is not among them: ending a session ends its grants in the same commit. */
export type GrantFacts = {
  grant: GrantRecord;
  /** Undefined when removed. */
  client: Pick<ClientRecord, 'disabled' | 'epoch'> | undefined;
  user: Pick<UserRecord, 'disabled'> | undefined;
  issuerEpoch: number;
};

/** Why a grant is no longer live, or undefined while it is. Pure. */
export function grantEnd({ grant, client, user, issuerEpoch }: GrantFacts, now: Seconds): RefusalReason | undefined {
  if (grant.endedAt !== null) return endedReason(grant);
  if (!client || client.disabled) return 'client_disabled';
  if (!user || user.disabled) return 'user_disabled';
  if (grant.clientEpoch < client.epoch) return 'client_cut_off';
  if (grant.issuerEpoch < issuerEpoch) return 'issuer_cut_off';
  if (grant.endsAt <= now) return 'grant_expired';
  if (grant.idleAt !== null && grant.idleAt <= now) return 'grant_idle';
  return undefined;
}

function endedReason(grant: GrantRecord): RefusalReason {
  switch (grant.endReason) {
    case 'idle':
      return 'grant_idle';
    case 'expired':
      return 'grant_expired';
    case 'refresh_reused':
      return 'refresh_reused';
    case 'code_reused':
      return 'code_reused';
    case 'client_cut_off':
      return 'client_cut_off';
    case 'store_restored':
      return 'issuer_cut_off';
    case 'user_disabled':
    case 'user_removed':
      return 'user_disabled';
    case 'user_signed_out':
    case 'client_signed_out':
    case 'signed_out_everywhere':
    case 'password_changed':
      return 'session_ended';
    default:
      return 'grant_ended';
  }
}

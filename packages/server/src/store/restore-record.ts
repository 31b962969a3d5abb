import type { Seconds } from '@tessera/protocol';
import type { SettingRecord } from './records.ts';
import type { StorePosition } from './store.ts';

/** What becomes of those who are signed in when an older state of the store is put back. */
export type RestorePolicy =
  /** They go on: a refresh token that is newer than the store is taken as its grant's present one. */
  | 'resume'
  /** Everybody signs in again: everything of before is cut off. */
  | 'reauthenticate';

/** The name of the setting that tells of restores. */
export const restoreSetting = 'restore';

/** The last restore of this store. A store that was never restored has none. */
export type RestoreRecord = {
  /** `begun`: it did not come to its end, and no server may use the store. */
  state: 'begun' | 'done';
  policy: RestorePolicy;
  at: Seconds;
  /** Where the state that was put back stood. */
  from: StorePosition;
  /** The epochs whose journals this store knows: what they hold ended may be applied to it. */
  formerEpochs: number[];
};

/** Reads the setting's value; undefined for a store that was never restored. */
export function restoreRecordOf(setting: SettingRecord | undefined): RestoreRecord | undefined {
  return setting?.value as RestoreRecord | undefined;
}

import * as rows from '../rows.ts';
import { type Key, unpackKey } from './key.ts';

/** A row of `sessions`. */
export type SessionRow = rows.SessionRow<Key>;

/** What of a grant changes with its use. `origin`: a digest of the last origin. */
export type GrantStateRow = rows.GrantStateRow & { origin: Uint8Array };

/** A row of `grants` joined with its `grant_state`. */
export type GrantRow = rows.GrantRow<Key> & GrantStateRow;

/** What the event of a grant's ending takes from its rows. */
export type EndedGrantRow = rows.EndedGrantRow<Key>;

/** A row of `events`. */
export type EventRow = rows.EventRow<Key>;

/** Rows as records. */
export const { toSession, toGrant, toEvent, toEndedGrant } = rows.rowReader(unpackKey);

import * as rows from '../rows.ts';
import { unpackKey } from './key.ts';

/** A row of `sessions`. */
export type SessionRow = rows.SessionRow<Buffer>;

/** A row of `grants` joined with its `grant_state`. */
export type GrantRow = rows.GrantRow<Buffer>;

/** A row of `events`. */
export type EventRow = rows.EventRow<Buffer>;

/** Rows as records. */
export const { toSession, toGrant, toEvent } = rows.rowReader(unpackKey);

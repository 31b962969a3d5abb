import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { MovedKind, MovedPage, MovedRows, MoveSource } from '../move/moved-rows.ts';
import type { StorePosition } from '../store.ts';
import { grantColumns } from './lists.ts';
import { type EventRow, type GrantRow, type SessionRow, toEvent, toGrant, toSession } from './rows.ts';
import { assertUsable, movedAway } from './schema.ts';

type Reading<K extends MovedKind> = {
  /** Takes what `cursor` says of the last row, then the limit. */
  sql: string;
  /** Where a kind begins. */
  first: SQLInputValue[];
  toRow(row: never): MovedRows[K];
  cursor(row: MovedRows[K]): SQLInputValue[];
};

const readings: { [K in MovedKind]: Reading<K> } = {
  documents: {
    sql: 'SELECT * FROM documents WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT ?',
    first: ['', ''],
    toRow: (row: MovedRows['documents']) => ({ ...row }),
    cursor: ({ kind, id }) => [kind, id],
  },
  user_names: {
    sql: 'SELECT name, user_id AS userId, username FROM user_names WHERE name > ? ORDER BY name LIMIT ?',
    first: [''],
    toRow: (row: MovedRows['user_names']) => ({ ...row }),
    cursor: ({ name }) => [name],
  },
  audiences: {
    sql: 'SELECT audience, resource_server_id AS resourceServerId FROM audiences WHERE audience > ? ORDER BY audience LIMIT ?',
    first: [''],
    toRow: (row: MovedRows['audiences']) => ({ ...row }),
    cursor: ({ audience }) => [audience],
  },
  sessions: {
    sql: 'SELECT * FROM sessions WHERE session_no > ? ORDER BY session_no LIMIT ?',
    first: [-1],
    toRow: (row: SessionRow) => ({ no: row.session_no, session: toSession(row) }),
    cursor: ({ no }) => [no],
  },
  grants: {
    sql: `SELECT ${grantColumns} FROM grants g CROSS JOIN grant_state s ON s.grant_id = g.grant_id
      WHERE g.grant_no > ? ORDER BY g.grant_no LIMIT ?`,
    first: [-1],
    toRow: (row: GrantRow) => ({ no: row.grant_no, grant: toGrant(row) }),
    cursor: ({ no }) => [no],
  },
  events: {
    sql: 'SELECT * FROM events WHERE position > ? ORDER BY position LIMIT ?',
    first: [0],
    toRow: (row: EventRow) => toEvent(row),
    cursor: ({ position }) => [position],
  },
  remembered: {
    sql: 'SELECT key, until, used_from AS usedFrom FROM remembered WHERE key > ? ORDER BY key LIMIT ?',
    first: [''],
    toRow: (row: MovedRows['remembered']) => ({ ...row }),
    cursor: ({ key }) => [key],
  },
  buckets: {
    sql: 'SELECT key, level, at, leak_per_second AS leakPerSecond FROM buckets WHERE key > ? ORDER BY key LIMIT ?',
    first: [''],
    toRow: (row: MovedRows['buckets']) => ({ ...row }),
    cursor: ({ key }) => [key],
  },
};

/** The rows of the store in an open file, piece by piece. */
export function sqliteRows(db: DatabaseSync): MoveSource {
  return {
    async page<K extends MovedKind>(kind: K, after: string | undefined, limit: number): Promise<MovedPage<K>> {
      const { sql, first, toRow, cursor } = readings[kind] as unknown as Reading<K>;
      const from = after === undefined ? first : (JSON.parse(after) as SQLInputValue[]);
      const rows = db
        .prepare(sql)
        .all(...from, limit)
        .map((row) => toRow(row as never));
      const last = rows.at(-1);
      return { rows, after: last === undefined || rows.length < limit ? undefined : JSON.stringify(cursor(last)) };
    },
  };
}

/** Where the store stands that is to be moved. `isMoved`: it was, and nothing but the end of the move may use it. */
export function readMoveState(db: DatabaseSync): StorePosition & { isMoved: boolean } {
  const state = db.prepare('SELECT epoch, position, oldest_code FROM store_state').get() as unknown as StorePosition & {
    oldest_code: number;
  };
  const isMoved = state.oldest_code === movedAway;
  if (!isMoved) assertUsable(db);
  return { epoch: state.epoch, position: state.position, isMoved };
}

/** Marks the file as moved, on disk: no server takes it up again. Ends the transaction that `openAlone` began. */
export function markMoved(db: DatabaseSync): void {
  db.prepare('UPDATE store_state SET oldest_code = ?').run(movedAway);
  db.exec('COMMIT');
}

import type { DatabaseSync } from 'node:sqlite';
import type { NewEvent, StorePosition } from '../store.ts';
import { packKey } from './key.ts';

/**
 * The writer's end of the event log. Positions are dense because they are given inside the transaction that holds the only write lock, from
 * a counter that is read after taking the lock and rolls back along with the rows.
 */
export type EventLog = {
  /** Reads the counter; call first in each transaction. */
  begin(): void;
  /** The position as of now, to come back to with `rewind` when a commit is undone. */
  mark(): number;
  rewind(mark: number): void;
  /** Returns its position. */
  append(event: NewEvent): number;
  /** The epoch in which the positions count, as of `begin`. */
  epoch(): number;
  /** Writes the counter; call last in each transaction. */
  end(): void;
};

/** Prepares the statements of the event log. */
export function prepareEventLog(db: DatabaseSync): EventLog {
  const readState = db.prepare('SELECT epoch, position FROM store_state');
  const writePosition = db.prepare('UPDATE store_state SET position = ?');
  const insert = db.prepare(`
    INSERT INTO events (position, type, at, actor, user_id, sid, grant_id, client_id, data, audiences, until)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  let epoch = 0;
  let stored = 0;
  let position = 0;
  return {
    begin() {
      const state = readState.get() as StorePosition;
      epoch = state.epoch;
      stored = state.position;
      position = stored;
    },
    mark: () => position,
    epoch: () => epoch,
    rewind(mark) {
      position = mark;
    },
    append(event) {
      insert.run(
        position + 1,
        event.type,
        event.at,
        JSON.stringify(event.actor),
        optionalKey(event.userId),
        optionalKey(event.sid),
        optionalKey(event.grantId),
        optionalKey(event.clientId),
        optionalJson(event.data),
        optionalJson(event.audiences),
        event.until ?? null,
      );
      position += 1;
      return position;
    },
    end() {
      if (position !== stored) writePosition.run(position);
    },
  };
}

function optionalKey(id: string | undefined) {
  return id === undefined ? null : packKey(id);
}

// Absent is NULL, null is the JSON word: for audiences they mean different things.
function optionalJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

/**
 * When sessions and grants may lapse, see `../due.ts`. Triggers, so that what a process of older code writes has its entry too.
 */
export const due = `
  CREATE TABLE sessions_due (sid ANY PRIMARY KEY, due_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_due_at ON sessions_due (due_at);
  CREATE TABLE grants_due (grant_id ANY PRIMARY KEY, due_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX grants_due_at ON grants_due (due_at);

  CREATE TRIGGER session_born AFTER INSERT ON sessions WHEN NEW.ended_at IS NULL BEGIN
    INSERT INTO sessions_due VALUES (NEW.sid, min(NEW.sso_until, NEW.ends_at))
    ON CONFLICT (sid) DO UPDATE SET due_at = min(due_at, excluded.due_at);
  END;
  -- Only a renewal writes the cookie; it may bring the end nearer, which a touch never does.
  CREATE TRIGGER session_renewed AFTER UPDATE OF cookie_digest ON sessions BEGIN
    INSERT INTO sessions_due VALUES (NEW.sid, min(NEW.sso_until, NEW.ends_at))
    ON CONFLICT (sid) DO UPDATE SET due_at = min(due_at, excluded.due_at);
  END;
  CREATE TRIGGER session_swept AFTER DELETE ON sessions BEGIN
    DELETE FROM sessions_due WHERE sid = OLD.sid;
  END;

  CREATE TRIGGER grant_born AFTER INSERT ON grant_state WHEN NEW.ended_at IS NULL BEGIN
    INSERT INTO grants_due VALUES (NEW.grant_id, min(NEW.ends_at, coalesce(NEW.idle_at, NEW.ends_at))) ON CONFLICT DO NOTHING;
  END;
  -- Its session may have lived on it alone.
  CREATE TRIGGER grant_ended AFTER UPDATE OF ended_at ON grant_state BEGIN
    INSERT INTO sessions_due
    SELECT s.sid, min(s.sso_until, s.ends_at) FROM grants g CROSS JOIN sessions s ON s.sid = g.sid
    WHERE g.grant_no = NEW.grant_no AND s.ended_at IS NULL
    ON CONFLICT (sid) DO UPDATE SET due_at = min(due_at, excluded.due_at);
  END;
  CREATE TRIGGER grant_swept AFTER DELETE ON grant_state BEGIN
    DELETE FROM grants_due WHERE grant_id = OLD.grant_id;
  END;

  -- Rows of before, which get their entries while serving. after_id: how far that came; no row: done.
  CREATE TABLE due_backfill (kind TEXT PRIMARY KEY, after_id ANY NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO due_backfill SELECT 'sessions', '' WHERE EXISTS (SELECT 1 FROM sessions);
  INSERT INTO due_backfill SELECT 'grants', '' WHERE EXISTS (SELECT 1 FROM grant_state);
`;

/** As before, but the entry of a session that is as early as it should be stays unwritten: of most grants that end it is. */
export const endedDue = `
  DROP TRIGGER grant_ended;
  CREATE TRIGGER grant_ended AFTER UPDATE OF ended_at ON grant_state BEGIN
    INSERT INTO sessions_due
    SELECT s.sid, min(s.sso_until, s.ends_at) FROM grants g CROSS JOIN sessions s ON s.sid = g.sid
    WHERE g.grant_no = NEW.grant_no AND s.ended_at IS NULL
    ON CONFLICT (sid) DO UPDATE SET due_at = excluded.due_at WHERE due_at > excluded.due_at;
  END;
`;

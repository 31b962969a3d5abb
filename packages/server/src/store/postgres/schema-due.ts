// Entries leave at one end all the time: without the vacuum looking after them often, every look would pass over those that left.
const storage = 'fillfactor = 90, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.01';

/**
 * When sessions may lapse, see `../due.ts`. Triggers, so that sessions that a node of older code creates or renews have their entry too. A step of its own: each
 * locks one busy table, so that it crosses with nobody.
 */
export const sessionsDue = `
  CREATE TABLE sessions_due (sid bytea PRIMARY KEY, due_at bigint NOT NULL) WITH (${storage});
  CREATE INDEX sessions_due_at ON sessions_due (due_at, sid);

  CREATE FUNCTION session_due() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO sessions_due AS d VALUES (NEW.sid, least(NEW.sso_until, NEW.ends_at))
    ON CONFLICT (sid) DO UPDATE SET due_at = excluded.due_at WHERE d.due_at > excluded.due_at;
    RETURN NULL;
  END $$;
  CREATE TRIGGER session_born AFTER INSERT ON sessions FOR EACH ROW WHEN (NEW.ended_at IS NULL) EXECUTE FUNCTION session_due();
  -- Only a renewal writes the cookie; it may bring the end nearer, which a touch never does.
  CREATE TRIGGER session_renewed AFTER UPDATE OF cookie_digest ON sessions FOR EACH ROW EXECUTE FUNCTION session_due();

  CREATE FUNCTION sessions_gone() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    DELETE FROM sessions_due d USING gone WHERE d.sid = gone.sid;
    RETURN NULL;
  END $$;
  CREATE TRIGGER sessions_swept AFTER DELETE ON sessions REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION sessions_gone();

  -- Rows of before, which get their entries while serving. after_id: how far that came; no row: done.
  CREATE TABLE due_backfill (kind text PRIMARY KEY, after_id bytea NOT NULL);
  INSERT INTO due_backfill SELECT 'sessions', '' WHERE EXISTS (SELECT 1 FROM sessions);
`;

/** When grants may lapse, likewise. */
export const grantsDue = `
  CREATE TABLE grants_due (grant_id bytea PRIMARY KEY, due_at bigint NOT NULL) WITH (${storage});
  CREATE INDEX grants_due_at ON grants_due (due_at, grant_id);

  CREATE FUNCTION grants_due() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO grants_due SELECT grant_id, least(idle_at, ends_at) FROM born WHERE ended_at IS NULL ON CONFLICT DO NOTHING;
    RETURN NULL;
  END $$;
  CREATE TRIGGER grants_born AFTER INSERT ON grant_state REFERENCING NEW TABLE AS born FOR EACH STATEMENT EXECUTE FUNCTION grants_due();

  -- Its session may have lived on it alone. The entry is locked even where it stays: a look that is at it has seen the grant alive, and moves the entry first.
  CREATE FUNCTION grant_ended() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO sessions_due AS d
    SELECT s.sid, least(s.sso_until, s.ends_at) FROM grants g JOIN sessions s USING (sid) WHERE g.grant_id = NEW.grant_id AND s.ended_at IS NULL
    ON CONFLICT (sid) DO UPDATE SET due_at = excluded.due_at WHERE d.due_at > excluded.due_at;
    RETURN NULL;
  END $$;
  CREATE TRIGGER grant_ended AFTER UPDATE OF ended_at ON grant_state FOR EACH ROW EXECUTE FUNCTION grant_ended();

  CREATE FUNCTION grants_gone() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    DELETE FROM grants_due d USING gone WHERE d.grant_id = gone.grant_id;
    RETURN NULL;
  END $$;
  CREATE TRIGGER grants_swept AFTER DELETE ON grant_state REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION grants_gone();

  INSERT INTO due_backfill SELECT 'grants', '' WHERE EXISTS (SELECT 1 FROM grant_state);
`;

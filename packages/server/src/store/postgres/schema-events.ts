/**
 * The event log in partitions, each the positions of about a day, so that what is past its retention goes by dropping tables. Expands only: older code appends
 * through `place_events`, which is replaced here, reads `events` as before and may go on deleting rows.
 *
 * Nothing here waits for the table: `events` of a new database is partitioned at once; one that holds events is taken up by maintenance, see
 * `event-partitions.ts`, and `place_events` does with either kind.
 */
export const partitionedEvents = `
  -- Raised by signals, so that nodes that cannot listen notice commits without events too.
  CREATE SEQUENCE commit_signals;
  SELECT setval('commit_signals', 1);

  -- kept_from: what is below is past its retention and no longer shown. partitioned_to: where the last partition ends; NULL: not partitioned yet.
  CREATE TABLE event_log (
    singleton boolean PRIMARY KEY CHECK (singleton),
    kept_from bigint NOT NULL,
    partitioned_to bigint
  ) WITH (fillfactor = 10);
  INSERT INTO event_log VALUES (true, 1, NULL);

  -- size: how many positions were planned for it. made_position, made_at: where the log was then: the next one's size follows from how far it came since.
  CREATE TABLE event_partitions (
    end_position bigint PRIMARY KEY,
    name text NOT NULL,
    size bigint NOT NULL,
    made_position bigint NOT NULL,
    made_at bigint NOT NULL
  );

  -- Says where the first partition will end, far enough ahead that it can be proved before the log gets there. Needs the table for a moment.
  CREATE FUNCTION bound_events() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
  DECLARE
    placed_at bigint;
    ends bigint;
  BEGIN
    SELECT position INTO placed_at FROM store_state FOR NO KEY UPDATE;
    IF (SELECT partitioned_to FROM event_log) IS NOT NULL THEN RETURN; END IF;
    ends := placed_at + CASE WHEN placed_at = 0 THEN 131072 ELSE 1048576 END;
    ALTER TABLE events DROP CONSTRAINT IF EXISTS events_end;
    EXECUTE format('ALTER TABLE events ADD CONSTRAINT events_end CHECK (position < %s) NOT VALID', ends);
    UPDATE event_log SET partitioned_to = ends;
  END $$;

  -- Makes what is there the first partition. With events_end proved, nothing is read for that. Needs the table for a moment.
  CREATE FUNCTION partition_events() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
  DECLARE
    placed_at bigint;
    ends bigint;
    home text;
    kind "char";
  BEGIN
    SELECT position INTO placed_at FROM store_state FOR NO KEY UPDATE;
    SELECT partitioned_to INTO ends FROM event_log;
    SELECT quote_ident(nspname), relkind INTO home, kind
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = 'events'::regclass;
    IF kind = 'p' OR ends IS NULL THEN RETURN; END IF;
    ALTER TABLE events RENAME TO events_1;
    ALTER INDEX events_pkey RENAME TO events_1_pkey;
    ALTER INDEX events_user RENAME TO events_1_user;
    ALTER INDEX events_session RENAME TO events_1_session;
    ALTER INDEX events_grant RENAME TO events_1_grant;
    ALTER INDEX events_client RENAME TO events_1_client;
    ALTER INDEX events_until RENAME TO events_1_until;
    EXECUTE format('CREATE TABLE %s.events (LIKE events_1) PARTITION BY RANGE (position)', home);
    ALTER TABLE events ADD PRIMARY KEY (position);
    CREATE INDEX events_user ON events (user_id) WHERE user_id IS NOT NULL;
    CREATE INDEX events_session ON events (sid) WHERE sid IS NOT NULL;
    CREATE INDEX events_grant ON events (grant_id) WHERE grant_id IS NOT NULL;
    CREATE INDEX events_client ON events (client_id) WHERE client_id IS NOT NULL;
    CREATE INDEX events_until ON events (until) WHERE until IS NOT NULL;
    EXECUTE format('ALTER TABLE events ATTACH PARTITION events_1 FOR VALUES FROM (MINVALUE) TO (%s)', ends);
    ALTER TABLE events_1 DROP CONSTRAINT events_end;
    INSERT INTO event_partitions VALUES (ends, 'events_1', 131072, placed_at, floor(extract(epoch FROM clock_timestamp())));
  END $$;

  -- Sees to it that the partitions reach far enough; call with the lock of the counter. A new one is attached while the last still has room: that
  -- excludes neither readers nor writers, and whoever holds what it does exclude (an ANALYZE, say) is waited for only when there is no room left.
  CREATE FUNCTION extend_events(placed_at bigint, coming bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
  DECLARE
    ends bigint;
    home text;
    kind "char";
    last event_partitions;
    made bigint := floor(extract(epoch FROM clock_timestamp()));
    planned bigint;
  BEGIN
    SELECT partitioned_to INTO ends FROM event_log;
    SELECT quote_ident(nspname), relkind INTO home, kind
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = 'events'::regclass;
    IF kind = 'r' THEN
      -- The log reached the bound before the bound was proved: begin again, from further ahead.
      IF ends - 1 - placed_at < coming + 20000 THEN
        ALTER TABLE events DROP CONSTRAINT IF EXISTS events_end;
        UPDATE event_log SET partitioned_to = NULL;
      END IF;
      RETURN;
    END IF;
    BEGIN
      LOCK TABLE ONLY events IN SHARE UPDATE EXCLUSIVE MODE NOWAIT;
    EXCEPTION WHEN lock_not_available THEN
      IF ends - 1 - placed_at > coming + 20000 THEN RETURN; END IF;
    END;
    WHILE ends - 1 - placed_at < 65536 + coming LOOP
      -- As many positions as a day takes at the pace since the last one was made; a burst of a moment says little about a day.
      SELECT * INTO last FROM event_partitions ORDER BY end_position DESC LIMIT 1;
      planned := (placed_at - last.made_position) * 86400 / greatest(1, made - last.made_at);
      planned := least(4 * last.size, greatest(65536, planned), 33554432);
      EXECUTE format('CREATE TABLE %s.events_%s (LIKE events INCLUDING ALL)', home, ends);
      EXECUTE format('ALTER TABLE events ATTACH PARTITION %s.events_%s FOR VALUES FROM (%s) TO (%s)', home, ends, ends, ends + planned);
      INSERT INTO event_partitions VALUES (ends + planned, 'events_' || ends, planned, placed_at, made);
      ends := ends + planned;
      UPDATE event_log SET partitioned_to = ends;
    END LOOP;
  END $$;

  -- As before, but for the room it looks for first.
  CREATE OR REPLACE FUNCTION place_events(most integer) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
  DECLARE
    start_at xid8;
    placed_at bigint;
    ends bigint;
    coming bigint;
  BEGIN
    SELECT position, CASE WHEN settled > pg_snapshot_xmin(pg_current_snapshot()) THEN '0'::xid8 ELSE settled END
      INTO placed_at, start_at FROM store_state FOR NO KEY UPDATE;
    SELECT partitioned_to INTO ends FROM event_log;
    SELECT count(*) INTO coming FROM event_inbox WHERE xid >= start_at;
    IF ends - 1 - placed_at < 65536 + coming THEN PERFORM extend_events(placed_at, coming); END IF;
    -- Commits after this look wait for the next call: the rest goes by the same list of batches, in one statement.
    WITH waiting AS MATERIALIZED (
      SELECT batch, ordinal FROM event_inbox WHERE xid >= start_at ORDER BY batch, ordinal LIMIT most
    ), bound AS (
      SELECT max(batch) AS last, count(*) < most AS is_all FROM waiting
    ), moved AS (
      DELETE FROM event_inbox i USING bound WHERE i.xid >= start_at AND i.batch <= bound.last RETURNING i.*
    ), placed AS (
      INSERT INTO events
      SELECT placed_at + row_number() OVER (ORDER BY batch, ordinal), type, at, actor, user_id, sid, grant_id, client_id, data, audiences, until
      FROM moved
      RETURNING 1
    )
    UPDATE store_state SET
      position = placed_at + (SELECT count(*) FROM placed),
      settled = CASE WHEN bound.is_all THEN pg_snapshot_xmin(pg_current_snapshot()) ELSE start_at END
    FROM bound;
  END $$;

  DO $$ BEGIN
    IF (SELECT position FROM store_state) = 0 THEN
      PERFORM bound_events();
      PERFORM partition_events();
    END IF;
  END $$;
`;

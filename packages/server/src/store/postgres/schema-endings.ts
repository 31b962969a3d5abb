/**
 * Many grants that are named end in one statement, and their events have positions when it returns. Expands only: older code ends grants as before, also while this is in use beside it.
 */
export const endingsTogether = `
  -- What ends by end_grants has seen to the entries of its sessions itself, for all at once.
  CREATE OR REPLACE TRIGGER grant_ended AFTER UPDATE OF ended_at ON grant_state
    FOR EACH ROW WHEN (current_setting('tessera.ends_together', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION grant_ended();

  -- Ends grants that have not ended, each named once: those whose client and secret's digest are as given, where they are given. One statement after the other, so that locks are
  -- taken in the one order: states by id, entries by session, and last the counter. Its holder appends to the log itself, after all that waits in the inbox: so positions
  -- follow the order of commits here too. detail: a JSON object, to which endsAt is added.
  CREATE FUNCTION end_grants(
    ids bytea[], clients bytea[], digests text[], ats bigint[], reasons text[], actors text[], details text[], untils bigint[]
  ) RETURNS TABLE (at_position bigint, of_epoch bigint, grant_id bytea, sid bytea, user_id bytea, client_id bytea, audiences text, ends_at bigint)
  LANGUAGE plpgsql VOLATILE AS $$
  #variable_conflict use_column
  DECLARE
    told event_inbox[];
    ending bigint[];
    setting text;
    placed_at bigint;
    epoch_now bigint;
    room bigint;
    is_waiting boolean;
  BEGIN
    SELECT array_agg(event ORDER BY ordinal), array_agg(ends_at ORDER BY ordinal) INTO told, ending FROM (
      SELECT a.ordinal, s.ends_at, ROW(
        NULL, 0, a.ordinal, 'grant.ended', a.at, a.actor, g.user_id, g.sid, s.grant_id, g.client_id,
        left(a.detail, -1) || ',"endsAt":' || s.ends_at || '}',
        CASE json_array_length(birth.resources)
          WHEN 0 THEN 'null'
          WHEN 1 THEN birth.resources::text
          ELSE (SELECT json_agg(DISTINCT r COLLATE "C")::text FROM json_array_elements_text(birth.resources) r)
        END,
        a.until
      )::event_inbox AS event
      FROM unnest(ids, clients, digests, ats, actors, details, untils)
        WITH ORDINALITY AS a(id, client, digest, at, actor, detail, until, ordinal)
      JOIN grant_state s ON s.grant_id = a.id
      JOIN grants g ON g.grant_id = a.id
      CROSS JOIN LATERAL json_to_record(g.birth::json) AS birth(resources json, "secretDigest" text)
      WHERE s.ended_at IS NULL AND (a.client IS NULL OR (g.client_id = a.client AND birth."secretDigest" = a.digest))
      ORDER BY s.grant_id FOR NO KEY UPDATE OF s
    ) locked;
    IF told IS NULL THEN RETURN; END IF;

    setting := set_config('tessera.ends_together', 'on', true);
    UPDATE grant_state s SET ended_at = t.at, end_reason = reasons[t.ordinal]
    FROM unnest(told) t WHERE s.grant_id = t.grant_id;
    setting := set_config('tessera.ends_together', '', true);

    INSERT INTO sessions_due AS d
    SELECT s.sid, least(s.sso_until, s.ends_at) FROM (SELECT DISTINCT t.sid FROM unnest(told) t) t JOIN sessions s USING (sid)
    WHERE s.ended_at IS NULL ORDER BY s.sid
    ON CONFLICT (sid) DO UPDATE SET due_at = excluded.due_at WHERE d.due_at > excluded.due_at;

    -- The lock comes first and the look second, with a snapshot of its own, as in place_events.
    PERFORM 1 FROM store_state FOR NO KEY UPDATE;
    LOOP
      SELECT position, epoch, partitioned_to, EXISTS (
        SELECT 1 FROM event_inbox
        WHERE xid >= CASE WHEN settled > pg_snapshot_xmin(pg_current_snapshot()) THEN '0'::xid8 ELSE settled END
      ) INTO placed_at, epoch_now, room, is_waiting FROM store_state, event_log;
      EXIT WHEN NOT is_waiting;
      PERFORM place_events(10000);
    END LOOP;
    IF room - 1 - placed_at < 65536 + cardinality(told) THEN PERFORM extend_events(placed_at, cardinality(told)); END IF;
    UPDATE store_state SET position = placed_at + cardinality(told);
    RETURN QUERY
    INSERT INTO events
    SELECT placed_at + n, t.type, t.at, t.actor, t.user_id, t.sid, t.grant_id, t.client_id, t.data, t.audiences, t.until
    FROM unnest(told) WITH ORDINALITY AS t(xid, batch, ordinal, type, at, actor, user_id, sid, grant_id, client_id, data, audiences, until, n)
    RETURNING position, epoch_now, grant_id, sid, user_id, client_id, audiences, ending[position - placed_at];
  END $$;
`;

import { hash } from 'node:crypto';
import { grantEnded } from '../ending-events.ts';
import { birthOf } from '../grant-birth.ts';
import type { EndReason, GrantRecord, Origin } from '../records.ts';
import type { ChangeOf, Effects, EndOneGrant, SharedChange } from './changes.ts';
import type { Connection } from './connection.ts';
import { StartOver } from './failure.ts';
import { packKey, unpackKey } from './key.ts';
import { type EndedGrantRow, toEndedGrant } from './rows.ts';
import { count, run } from './statements.ts';
import type { UndoLog } from './undo-log.ts';

/** A grant's narrow row as it is or will be. Never changed in place. */
type State = {
  generation: number;
  sealKeyId: string;
  rotatedAt: number;
  idleAt: number | null;
  lastUsedAt: number;
  uses: number;
  replays: number;
  origin: string;
  isEnded: boolean;
  /** Whether what a use changes is another than the row says. */
  isChanged: boolean;
  /** How it ended, if that was just now. */
  ended?: { at: number; reason: EndReason };
  /** Where it was used, if that was elsewhere than the row says. */
  moved?: Origin;
  /** The record it was created from, if that was just now. */
  born?: GrantRecord;
};

type StateRow = {
  grant_id: Buffer;
  generation: number;
  seal_key_id: string;
  rotated_at: number;
  idle_at: number | null;
  last_used_at: number;
  uses: number;
  replays: number;
  origin: Buffer;
  is_ended: boolean;
};

// An ending of the session waits until the grants created here are committed, and then finds them.
const lockSessions =
  'SELECT sid FROM sessions WHERE sid = ANY($1::bytea[]) AND ended_at IS NULL ORDER BY sid FOR SHARE';
const lockGrants = `
  SELECT grant_id, generation, seal_key_id, rotated_at, idle_at, last_used_at, uses, replays, origin, ended_at IS NOT NULL AS is_ended
  FROM grant_state WHERE grant_id = ANY($1::bytea[]) ORDER BY grant_id FOR NO KEY UPDATE`;
const updateStates = `
  UPDATE grant_state s SET generation = a.generation, seal_key_id = a.seal_key_id, rotated_at = a.rotated_at, idle_at = a.idle_at,
    last_used_at = a.last_used_at, uses = a.uses, replays = a.replays, origin = a.origin
  FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[])
    AS a(grant_id, generation, seal_key_id, rotated_at, idle_at, last_used_at, uses, replays, origin)
  WHERE s.grant_id = a.grant_id`;
const moveGrants = `
  UPDATE grants g SET last_ip = a.ip, last_user_agent = a.user_agent
  FROM unnest($1::bytea[], $2::text[], $3::text[]) AS a(grant_id, ip, user_agent)
  WHERE g.grant_id = a.grant_id`;
const endStates = `
  UPDATE grant_state s SET ended_at = a.ended_at, end_reason = a.end_reason
  FROM unnest($1::bytea[], $2::bigint[], $3::text[]) AS a(grant_id, ended_at, end_reason)
  WHERE s.grant_id = a.grant_id`;
const selectBirths = `
  SELECT g.grant_id, g.sid, g.user_id, g.client_id, g.birth, s.ends_at
  FROM grants g JOIN grant_state s USING (grant_id) WHERE g.grant_id = ANY($1::bytea[])`;
const insertStates = `
  INSERT INTO grant_state (grant_id, generation, seal_key_id, rotated_at, idle_at, last_used_at, uses, replays, origin, ends_at, ended_at, end_reason)
  SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[],
    $10::bigint[], $11::bigint[], $12::text[]) AS a(grant_id)
  ORDER BY a.grant_id
  ON CONFLICT DO NOTHING`;
const insertGrants = `
  INSERT INTO grants (grant_id, sid, user_id, client_id, offline, birth, last_ip, last_user_agent)
  SELECT grant_id, sid, user_id, client_id, offline, birth, last_ip, last_user_agent
  FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::boolean[], $6::text[], $7::text[], $8::text[])
    WITH ORDINALITY AS a(grant_id, sid, user_id, client_id, offline, birth, last_ip, last_user_agent, ordinal)
  ORDER BY ordinal`;

/** The grants that a batch of commits is about, locked and at hand, and the unended sessions that new ones need. */
export class GrantRows {
  readonly #undo: UndoLog;
  readonly #states = new Map<string, State>();
  readonly #sessions = new Set<string>();
  /** What the events of endings tell of the grants that are to end. */
  readonly #births = new Map<string, ReturnType<typeof toEndedGrant>>();

  constructor(undo: UndoLog) {
    this.#undo = undo;
  }

  /** Locks what the changes are about: sessions before grants, each by id. */
  async load(connection: Connection, changes: readonly SharedChange[]): Promise<void> {
    const sids = new Set<string>();
    const grantIds = new Set<string>();
    const endingIds = new Set<string>();
    for (const change of changes) {
      if (change.change === 'create-grant') {
        sids.add(change.grant.sid);
        grantIds.add(change.grant.grantId);
      } else if (change.change === 'end-grants') {
        grantIds.add(change.where.grantId);
        endingIds.add(change.where.grantId);
      } else if ('grantId' in change) grantIds.add(change.grantId);
    }
    if (sids.size > 0) {
      const rows = await run<{ sid: Buffer }>(connection, lockSessions, [[...sids].map(packKey)]);
      for (const row of rows) this.#sessions.add(unpackKey(row.sid));
    }
    if (grantIds.size > 0) {
      const rows = await run<StateRow>(connection, lockGrants, [[...grantIds].map(packKey)]);
      for (const row of rows) this.#states.set(unpackKey(row.grant_id), toState(row));
    }
    if (endingIds.size > 0) {
      const rows = await run<EndedGrantRow>(connection, selectBirths, [[...endingIds].map(packKey)]);
      for (const row of rows) this.#births.set(unpackKey(row.grant_id), toEndedGrant(row));
    }
  }

  rotate({ grantId, expect, sealKeyId, at, idleAt, origin, generation }: ChangeOf<'rotate-grant'>): boolean {
    const state = this.#expected(grantId, expect);
    if (state === undefined) return false;
    const next = generation ?? state.generation + 1;
    this.#use(grantId, { ...state, generation: next, sealKeyId, rotatedAt: at }, at, idleAt, origin);
    return true;
  }

  touch({ grantId, expect, at, idleAt, origin }: ChangeOf<'touch-grant'>): boolean {
    const state = this.#expected(grantId, expect);
    if (state === undefined) return false;
    this.#use(grantId, state, at, idleAt, origin);
    return true;
  }

  countReplay({ grantId }: ChangeOf<'count-replay'>): boolean {
    const state = this.#states.get(grantId);
    if (state !== undefined) this.#set(grantId, { ...state, replays: state.replays + 1 });
    return true;
  }

  end({ where: { grantId, proof }, ending }: EndOneGrant, effects: Effects): boolean {
    const state = this.#states.get(grantId);
    if (state === undefined || state.isEnded) return true;
    const grant = state.born ?? this.#births.get(grantId);
    if (grant === undefined) return true;
    if (proof && (proof.clientId !== grant.clientId || proof.secretDigest !== grant.secretDigest)) return true;
    const { at, reason } = ending;
    this.#undo.set(this.#states, grantId, { ...state, isEnded: true, ended: { at, reason } });
    effects.grantIds.push(grantId);
    effects.events.push(grantEnded(grant, ending));
    return true;
  }

  create({ grant }: ChangeOf<'create-grant'>): boolean {
    if (this.#states.has(grant.grantId) || !this.#sessions.has(grant.sid)) return false;
    this.#set(grant.grantId, {
      generation: grant.generation,
      sealKeyId: grant.sealKeyId,
      rotatedAt: grant.rotatedAt,
      idleAt: grant.idleAt,
      lastUsedAt: grant.lastUsedAt,
      uses: grant.uses,
      replays: grant.replays,
      origin: originDigest(grant.lastOrigin),
      isEnded: grant.endedAt !== null,
      isChanged: true,
      born: grant,
    });
    return true;
  }

  /** Writes what was changed. Throws `StartOver` if the id of a new grant was taken meanwhile. */
  async write(connection: Connection): Promise<void> {
    const states = [...this.#states];
    const born = states.filter(([, state]) => state.born !== undefined);
    const known = states.filter(([, state]) => state.born === undefined);
    const kept = known.filter(([, state]) => state.isChanged);
    const ended = known.filter(([, state]) => state.ended !== undefined);
    const moved = kept.filter(([, state]) => state.moved !== undefined);
    if (kept.length > 0) await count(connection, updateStates, stateColumns(kept));
    if (ended.length > 0) {
      await count(connection, endStates, [
        ended.map(([grantId]) => packKey(grantId)),
        ended.map(([, state]) => state.ended?.at),
        ended.map(([, state]) => state.ended?.reason),
      ]);
    }
    if (moved.length > 0) {
      await count(connection, moveGrants, [
        moved.map(([grantId]) => packKey(grantId)),
        moved.map(([, state]) => state.moved?.ip),
        moved.map(([, state]) => state.moved?.userAgent),
      ]);
    }
    if (born.length > 0) await this.#insert(connection, born);
  }

  async #insert(connection: Connection, born: [string, State][]): Promise<void> {
    const records = born.map(([, state]) => ({ ...state.born!, lastOrigin: state.moved ?? state.born!.lastOrigin }));
    const inserted = await count(connection, insertStates, [
      ...stateColumns(born),
      records.map((grant) => grant.endsAt),
      born.map(([, { ended, born: grant }]) => ended?.at ?? grant!.endedAt),
      born.map(([, { ended, born: grant }]) => ended?.reason ?? grant!.endReason),
    ]);
    if (inserted !== born.length) throw new StartOver();
    await count(connection, insertGrants, [
      records.map((grant) => packKey(grant.grantId)),
      records.map((grant) => packKey(grant.sid)),
      records.map((grant) => packKey(grant.userId)),
      records.map((grant) => packKey(grant.clientId)),
      records.map((grant) => grant.kind === 'offline'),
      records.map(birthOf),
      records.map((grant) => grant.lastOrigin.ip),
      records.map((grant) => grant.lastOrigin.userAgent),
    ]);
  }

  #expected(grantId: string, generation: number): State | undefined {
    const state = this.#states.get(grantId);
    return state !== undefined && !state.isEnded && state.generation === generation ? state : undefined;
  }

  #use(grantId: string, state: State, at: number, idleAt: number | null, origin: Origin): void {
    const digest = originDigest(origin);
    const used = { ...state, lastUsedAt: at, idleAt, uses: state.uses + 1, origin: digest };
    this.#set(grantId, digest === state.origin ? used : { ...used, moved: origin });
  }

  #set(grantId: string, state: State): void {
    this.#undo.set(this.#states, grantId, { ...state, isChanged: true });
  }
}

function toState(row: StateRow): State {
  return {
    generation: row.generation,
    sealKeyId: row.seal_key_id,
    rotatedAt: row.rotated_at,
    idleAt: row.idle_at,
    lastUsedAt: row.last_used_at,
    uses: row.uses,
    replays: row.replays,
    origin: row.origin.toString('hex'),
    isEnded: row.is_ended,
    isChanged: false,
  };
}

function stateColumns(states: [string, State][]): unknown[] {
  return [
    states.map(([grantId]) => packKey(grantId)),
    states.map(([, state]) => state.generation),
    states.map(([, state]) => state.sealKeyId),
    states.map(([, state]) => state.rotatedAt),
    states.map(([, state]) => state.idleAt),
    states.map(([, state]) => state.lastUsedAt),
    states.map(([, state]) => state.uses),
    states.map(([, state]) => state.replays),
    states.map(([, state]) => Buffer.from(state.origin, 'hex')),
  ];
}

/** The digest of an origin, in hex. Nobody can collide it on purpose: else a thief could pick a user agent that keeps the owner's origin on display. */
export function originDigest(origin: Origin): string {
  return hash('sha256', `${origin.ip}\n${origin.userAgent}`, 'hex').slice(0, 24);
}

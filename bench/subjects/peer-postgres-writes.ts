import type { AdapterPayload } from 'oidc-provider';
import type { Account } from './peer-database.ts';

/** A write that the peer asks for. */
export type PeerWrite =
  | { kind: 'upsert'; model: string; id: string; payload: AdapterPayload; expiresAt: number | null }
  | { kind: 'consume'; model: string; id: string; at: number }
  | { kind: 'destroy'; model: string; id: string }
  | { kind: 'revoke'; model: string; grantId: string }
  | { kind: 'account'; account: Account };

/** A statement with the values it takes; the same `name` always goes with the same `text`. */
export type Statement = { name: string; text: string; values: unknown[] };

/** The kinds of writes. */
export type Kind = PeerWrite['kind'];
type Waiting = { write: PeerWrite; resolve(): void; reject(error: unknown): void };

// As many as a batch of Tessera takes.
const mostTogether = 256;

const sql: Record<Kind, (parameter: (type: string) => string) => string> = {
  upsert: (parameter) => `
    INSERT INTO payloads (model, id, payload, grant_id, user_code, uid, expires_at)
    SELECT * FROM unnest(${['text', 'text', 'text', 'text', 'text', 'text', 'bigint'].map(parameter)})
    ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id, user_code = excluded.user_code, uid = excluded.uid, expires_at = excluded.expires_at`,
  consume: (parameter) => `
    UPDATE payloads p SET consumed_at = a.at FROM unnest(${['text', 'text', 'bigint'].map(parameter)}) AS a(model, id, at)
    WHERE p.model = a.model AND p.id = a.id`,
  destroy: (parameter) => `
    DELETE FROM payloads p USING unnest(${['text', 'text'].map(parameter)}) AS a(model, id) WHERE p.model = a.model AND p.id = a.id`,
  revoke: (parameter) => `
    DELETE FROM payloads p USING unnest(${['text', 'text'].map(parameter)}) AS a(model, grant_id)
    WHERE p.grant_id = a.grant_id AND p.model = a.model`,
  account: (parameter) => `
    INSERT INTO accounts SELECT * FROM unnest(${['text', 'text', 'text'].map(parameter)}) ON CONFLICT DO NOTHING`,
};

/** What a write brings, in the order of the columns. */
export const columns: { [K in Kind]: (write: Extract<PeerWrite, { kind: K }>) => unknown[] } = {
  upsert: ({ model, id, payload, expiresAt }) => {
    const { grantId = null, userCode = null, uid = null } = payload;
    return [model, id, JSON.stringify(payload), grantId, userCode, uid, expiresAt];
  },
  consume: ({ model, id, at }) => [model, id, at],
  destroy: ({ model, id }) => [model, id],
  revoke: ({ model, grantId }) => [model, grantId],
  account: ({ account }) => [account.accountId, account.username, JSON.stringify(account)],
};

/**
 * The peer's writes on their way to Postgres: what was asked for in one turn of the event loop, or while a batch was under way, goes together as one statement, which is a transaction
 * and a flush of its own. Writes are done in their order: what touches a row that the batch touches already waits for the next.
 */
export class PeerWrites {
  readonly #run: (statement: Statement) => Promise<void>;
  #waiting: Waiting[] = [];
  #isUnderWay = false;

  constructor(run: (statement: Statement) => Promise<void>) {
    this.#run = run;
  }

  /** Resolves once it is on disk. */
  add(write: PeerWrite): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject });
      if (this.#isUnderWay) return;
      this.#isUnderWay = true;
      setImmediate(() => void this.#writeAll());
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, lengthOfBatch(this.#waiting.map(({ write }) => write)));
      try {
        await this.#run(statementFor(batch.map(({ write }) => write)));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      // Callers who were answered together come back together.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isUnderWay = false;
  }
}

/** How many of the first may share a statement: no row twice, and none that a revocation would have to find changed. */
export function lengthOfBatch(writes: readonly PeerWrite[]): number {
  const rows = new Set<string>();
  let hasRevocation = false;
  let hasChange = false;
  const most = Math.min(writes.length, mostTogether);
  for (let index = 0; index < most; index++) {
    const write = writes[index] as PeerWrite;
    if (write.kind === 'account') continue;
    if (write.kind === 'revoke') {
      if (hasChange) return index;
      hasRevocation = true;
      continue;
    }
    const row = `${write.model} ${write.id}`;
    const isChange = write.kind !== 'destroy';
    if (rows.has(row) || (isChange && hasRevocation)) return index;
    rows.add(row);
    hasChange ||= isChange;
  }
  return most;
}

/** One statement that does all of these writes. */
export function statementFor(writes: readonly PeerWrite[]): Statement {
  const values: unknown[] = [];
  const parts: string[] = [];
  const kinds = (Object.keys(sql) as Kind[]).filter((kind) => writes.some((write) => write.kind === kind));
  for (const kind of kinds) {
    const rows = writes.filter((write) => write.kind === kind).map((write) => columns[kind](write as never));
    let column = 0;
    parts.push(
      sql[kind]((type) => {
        const at = column++;
        return `$${values.push(rows.map((row) => row[at]))}::${type}[]`;
      }),
    );
  }
  const [first = '', ...others] = parts;
  const text =
    others.length === 0 ? first : `WITH ${parts.map((part, index) => `w${index} AS (${part})`).join(', ')} SELECT 1`;
  return { name: `write_${kinds.join('_')}`, text, values };
}

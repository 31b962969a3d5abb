import type { Seconds } from '@tessera/protocol';
import type pg from 'pg';
import { GrantsAtHand } from '../grants-at-hand.ts';
import type { UserRecord } from '../records.ts';
import { withState } from '../rows.ts';
import type { Standing } from '../store.ts';
import { withConnection } from './connection.ts';
import { packKey, packText } from './key.ts';
import { grantColumns } from './lists.ts';
import { type GrantRow, toGrant } from './rows.ts';
import { run } from './statements.ts';

type Asked = { grantId?: string | undefined; rememberedKey?: string; now: Seconds };
type Waiting = { asked: Asked; resolve(standing: Standing): void; reject(error: unknown): void };
type StandingRow = GrantRow & { ordinal: number; origin: Buffer; body: string | null; is_remembered: boolean };

// How many askers one statement answers, and how many statements are under way at once.
const batchSize = 256;
const mostUnderWay = 2;

// A user's document has the text of the id that the grant has packed (see key.ts). Of a grant at hand the asker knows it, and needs no wide row.
const selectStandings = `
  SELECT a.ordinal, ${grantColumns}, s.origin, d.body, r.key IS NOT NULL AS is_remembered
  FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[]) WITH ORDINALITY AS a(grant_id, user_id, key, now, ordinal)
  LEFT JOIN grant_state s ON s.grant_id = a.grant_id
  LEFT JOIN grants g ON g.grant_id = a.grant_id AND a.user_id IS NULL
  LEFT JOIN documents d ON d.kind = 'user' AND d.id = coalesce(a.user_id, CASE get_byte(g.user_id, 0)
    WHEN 1 THEN convert_to(rtrim(translate(encode(substr(g.user_id, 2), 'base64'), '+/', '-_'), '='), 'UTF8')
    ELSE substr(g.user_id, 2) END)
  LEFT JOIN remembered r ON r.key = a.key AND r.until > a.now`;

/**
 * Reads what tokens hang on. Whoever asks while a statement is under way goes, together with the others, into the next one: under load a reading costs a small part of a
 * statement. What is read is never older than the asking.
 */
export class StandingReader {
  readonly #pool: pg.Pool;
  readonly #atHand = new GrantsAtHand<Buffer>();
  #waiting: Waiting[] = [];
  #underWay = 0;
  #isScheduled = false;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  getStanding(asked: Asked): Promise<Standing> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ asked, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#underWay >= mostUnderWay || this.#waiting.length === 0) return;
    this.#isScheduled = true;
    // After the events of this turn of the loop: those who came with it go together.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#underWay += 1;
      this.#readNext().finally(() => {
        this.#underWay -= 1;
        this.#schedule();
      });
      this.#schedule();
    });
  }

  async #readNext(): Promise<void> {
    const batch = this.#waiting.splice(0, batchSize);
    try {
      const rows = await this.#select(batch.map(({ asked }) => asked));
      for (const row of rows) {
        const waiting = batch[row.ordinal - 1]!;
        const standing = this.#standingOf(waiting.asked, row);
        if (standing === undefined) this.#waiting.push(waiting);
        else waiting.resolve(standing);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  #select(batch: readonly Asked[]): Promise<StandingRow[]> {
    const known = batch.map(({ grantId }) => (grantId === undefined ? undefined : this.#atHand.find(grantId)));
    const values = [
      batch.map(({ grantId }, index) => known[index]?.key ?? (grantId === undefined ? null : packKey(grantId))),
      known.map((grant) => grant?.userKey ?? null),
      batch.map(({ rememberedKey }) => (rememberedKey === undefined ? null : packText(rememberedKey))),
      batch.map(({ now }) => now),
    ];
    return withConnection(this.#pool, (connection) => run<StandingRow>(connection, selectStandings, values));
  }

  /** Undefined when the row must be read again, whole: the grant was used from elsewhere since it was kept, or is no longer at hand. */
  #standingOf({ grantId }: Asked, row: StandingRow): Standing | undefined {
    const isRemembered = row.is_remembered;
    const user = row.body === null ? undefined : (JSON.parse(row.body) as UserRecord);
    if (grantId === undefined || row.generation === null) return { grant: undefined, user: undefined, isRemembered };
    if (row.grant_id !== null) {
      const grant = toGrant(row);
      this.#atHand.keep({ key: packKey(grantId), userKey: packText(grant.userId), grant, origin: row.origin });
      return { grant, user, isRemembered };
    }
    const known = this.#atHand.find(grantId);
    if (known && Buffer.compare(known.origin, row.origin) === 0)
      return { grant: withState(known.grant, row), user, isRemembered };
    this.#atHand.forget(grantId);
    return undefined;
  }
}

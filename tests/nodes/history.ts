import assert from 'node:assert/strict';
import type { Answer, App } from '../apps.ts';
import type { Nodes } from './nodes.ts';

/** What clients ask. `introspect` is about the access token of the sign-in, which lives until its grant ends. */
export type Asked = 'refresh' | 'introspect' | 'revoke' | 'sign-out';

/** What a client learnt: `lost` when no answer came, `away` for a 503 that says when to come again, `strange` for all that no client should meet. */
export type Outcome =
  | { kind: 'done'; successor?: string; active?: boolean }
  | { kind: 'refused' }
  | { kind: 'away' }
  | { kind: 'lost' }
  | { kind: 'strange'; detail: string };

/** One request as its client saw it. */
export type Entry = {
  asked: Asked;
  app: number;
  node: number;
  sent: string;
  fromMs: number;
  toMs: number;
  outcome: Outcome;
};

/** What clients asked which node, when, and what they were told; and what must hold whatever happened to the nodes. */
export class History {
  readonly entries: Entry[] = [];

  /** Runs one request and writes down what came of it. */
  async record(
    asked: Asked,
    { app, node, sent }: Pick<Entry, 'app' | 'node' | 'sent'>,
    request: () => Promise<Answer | boolean>,
  ): Promise<Outcome> {
    const fromMs = performance.now();
    const outcome = await request().then(
      (answer) => (typeof answer === 'boolean' ? signedOut(answer) : outcomeOf(asked, answer)),
      (): Outcome => ({ kind: 'lost' }),
    );
    this.entries.push({ asked, app, node, sent, fromMs, toMs: performance.now(), outcome });
    return outcome;
  }

  /** How many requests came to that. */
  count(asked: Asked, kind: Outcome['kind']): number {
    return this.entries.filter((entry) => entry.asked === asked && entry.outcome.kind === kind).length;
  }

  /** How many endings were acknowledged. */
  get endings(): number {
    return this.count('revoke', 'done') + this.count('sign-out', 'done');
  }

  /** How much happened, in words. */
  get summary(): string {
    return `${this.count('refresh', 'done')} refreshes, ${this.count('refresh', 'away')} told to come again, ${this.count('refresh', 'lost')} answers lost, ${this.endings} endings acknowledged`;
  }

  /** When somebody first asked for the end of an app's grant, and when somebody was first told that it is done. */
  endOf(app: number): { askedMs: number; doneMs: number } {
    const endings = this.entries.filter(
      (one) => one.app === app && (one.asked === 'revoke' || one.asked === 'sign-out'),
    );
    return {
      askedMs: Math.min(Number.POSITIVE_INFINITY, ...endings.map(({ fromMs }) => fromMs)),
      doneMs: Math.min(
        Number.POSITIVE_INFINITY,
        ...endings.filter(({ outcome }) => outcome.kind === 'done').map(({ toMs }) => toMs),
      ),
    };
  }

  /** Everything in the history that should not be, in words. */
  violations(): string[] {
    const found: string[] = [];
    const ends = new Map<number, { askedMs: number; doneMs: number }>();
    const successors = new Map<string, string>();
    for (const entry of this.entries) {
      const { asked, app, node, sent, fromMs, toMs, outcome } = entry;
      const end = ends.get(app) ?? this.endOf(app);
      ends.set(app, end);
      const where = `app ${app}, node ${node}, ${asked} from ${fromMs.toFixed(0)} to ${toMs.toFixed(0)} ms`;
      if (outcome.kind === 'strange') found.push(`${where}: ${outcome.detail}`);
      if (asked === 'revoke' || asked === 'sign-out') continue;
      const isAlive = outcome.kind === 'done' && outcome.active !== false;
      if (isAlive && fromMs > end.doneMs)
        found.push(`${where}: what had ended at ${end.doneMs.toFixed(0)} ms was alive`);
      const isDead = outcome.kind === 'refused' || (outcome.kind === 'done' && outcome.active === false);
      if (isDead && toMs < end.askedMs) found.push(`${where}: an honest client was signed out`);
      if (outcome.kind !== 'done' || outcome.successor === undefined) continue;
      const other = successors.get(sent);
      if (other !== undefined && other !== outcome.successor) found.push(`${where}: a second successor of one token`);
      successors.set(sent, outcome.successor);
    }
    return found;
  }

  /** Fails for anything that should not be, the seed in its words. */
  check(seed: number): void {
    const violations = this.violations();
    assert.equal(
      violations.length,
      0,
      `seed ${seed}, ${violations.length} violations:\n${violations.slice(0, 20).join('\n')}`,
    );
  }
}

/** What must hold of the store, past all nodes: events are dense, no grant ended twice, nothing lives under an ended session. */
export async function checkStore(nodes: Pick<Nodes, 'query'>): Promise<void> {
  await nodes.query('SELECT place_events(100000)');
  const [events] = await nodes.query<{ count: number; first: number; last: number }>(
    'SELECT count(*)::int AS count, min(position)::int AS first, max(position)::int AS last FROM events',
  );
  assert.deepEqual(events, { count: events?.count, first: 1, last: events?.count }, 'events are dense');
  const twice = await nodes.query(
    `SELECT grant_id, count(*) FROM events WHERE type = 'grant.ended' GROUP BY grant_id HAVING count(*) > 1
     UNION ALL SELECT sid, count(*) FROM events WHERE type = 'session.ended' GROUP BY sid HAVING count(*) > 1`,
  );
  assert.deepEqual(twice, [], 'an ending was told twice');
  const orphans = await nodes.query(
    'SELECT 1 FROM grants JOIN grant_state s USING (grant_id) JOIN sessions USING (sid) WHERE sessions.ended_at IS NOT NULL AND s.ended_at IS NULL',
  );
  assert.deepEqual(orphans, [], 'a grant lives under an ended session');
}

/** The claims of an app's access token, nothing verified. */
export function claimsOf({ accessToken }: Pick<App, 'accessToken'>): Record<string, unknown> {
  return JSON.parse(Buffer.from(accessToken.split('.')[1] as string, 'base64url').toString());
}

function signedOut(isDone: boolean): Outcome {
  return { kind: isDone ? 'done' : 'away' };
}

function outcomeOf(asked: Asked, { status, headers, body }: Answer): Outcome {
  if (status === 503 && headers.has('retry-after')) return { kind: 'away' };
  if (status === 200 && asked === 'refresh') return { kind: 'done', successor: String(body.refresh_token) };
  if (status === 200 && asked === 'introspect') return { kind: 'done', active: body.active === true };
  if (status === 200) return { kind: 'done' };
  if (status === 400 && body.error === 'invalid_grant') return { kind: 'refused' };
  return { kind: 'strange', detail: `answered ${status} ${JSON.stringify(body).slice(0, 200)}` };
}

import { freePort } from '../../tests/free-port.ts';
import { Caller, describeTarget, type Target } from '../load/target.ts';
import { residentBytesOf } from '../measure/cpu-time.ts';
import type { Housed } from '../population/populations.ts';
import { type About, type Row, rounded, rowOfFigure, rowOfRounds, rowOfTimes } from '../report.ts';
import { publishedServer } from '../subjects/published-server.ts';
import { type RunningSubject, startSubject } from '../subjects/start-subject.ts';
import { introspections } from './introspect.ts';
import { rotate, rotations } from './refresh.ts';
import { type Contender, takeTurns, warmUp } from './run-scenario.ts';
import type { Extent, StoreName } from './scenario.ts';
import { measureStarts, mebibyte } from './start.ts';

/** The scenarios of growth. Each has a row for every number of stored sessions. */
export const growthNames = ['growth_refresh', 'growth_introspect', 'growth_cold_start', 'growth_idle_memory'] as const;

type Name = (typeof growthNames)[number];
type Grown = { housed: Housed; subject: RunningSubject; target: Target };

/**
 * Refreshes and introspections of few and of many stored sessions, at two servers that take turns, the starts of both, and what they hold. Those that are asked about are spread evenly
 * over all that are stored. `ratio_to_few`: what many do to what few do.
 */
export async function runGrowth(
  store: StoreName,
  populations: readonly Housed[],
  extent: Extent & { starts: number; idleSeconds: number },
  isAsked: (name: Name) => boolean,
): Promise<Row[]> {
  const about = (scenario: Name): About => ({ scenario, store, subject: 'tessera' });
  const rows: Row[] = [];
  const running: Grown[] = [];
  try {
    if (isAsked('growth_refresh') || isAsked('growth_introspect')) {
      for (const housed of populations) running.push(await start(housed));
      const measure = async (contenders: readonly Contender<Grown>[]) => {
        const limit = { milliseconds: extent.seconds * 1000, operations: extent.operations };
        const contest = { contenders, extent: { ...extent, rounds: extent.visits * extent.rounds }, limit };
        await warmUp(contest);
        await takeTurns(contest);
      };
      // First what needs tokens of before: each refresh replaces its own.
      const accessTokens = await Promise.all(running.map(accessTokensOf));
      const asking = running.map(
        (one, index): Contender<Grown> => ({
          name: one,
          target: one.target,
          prepared: introspections((accessTokens[index] ?? []).map(({ accessToken }) => accessToken)),
          rounds: [],
        }),
      );
      if (isAsked('growth_introspect')) {
        await measure(asking);
        rows.push(...compared(asking, about('growth_introspect')));
      }
      const refreshing = running.map(
        (one, index): Contender<Grown> => ({
          name: one,
          target: one.target,
          prepared: rotations((accessTokens[index] ?? []).map(({ refreshToken }) => refreshToken)),
          rounds: [],
        }),
      );
      if (isAsked('growth_refresh')) {
        await measure(refreshing);
        rows.push(...compared(refreshing, about('growth_refresh')));
      }
    }
  } finally {
    for (const { subject } of running) await subject.stop();
  }
  if (!isAsked('growth_cold_start') && !isAsked('growth_idle_memory')) return rows;
  const startables = populations.map((housed) => ({
    name: housed,
    command: (port: number) => publishedServer(port, housed.place),
    readyPath: '/ready',
  }));
  const measured = await measureStarts(startables, { repeats: extent.starts, idleSeconds: extent.idleSeconds });
  for (const [housed, { startsMs, idleBytes }] of measured) {
    const { sessions } = housed;
    rows.push({ ...rowOfTimes(about('growth_cold_start'), startsMs, 0), details: { sessions } });
    rows.push(rowOfFigure(about('growth_idle_memory'), 'MiB', idleBytes / mebibyte, { sessions }));
  }
  return rows;
}

async function start(housed: Housed): Promise<Grown> {
  const subject = await startSubject('tessera.ts', { port: await freePort(), sessions: 0, ...housed.place });
  const pids = [subject.pid, ...housed.databasePids];
  return { housed, subject, target: await describeTarget(subject.issuer, { ...subject, pids }) };
}

/** Rotates each refresh token once, for the access token that comes with it, and asks about that once: what is measured is not the first sight of a token. */
async function accessTokensOf({ housed, target }: Grown): Promise<{ accessToken: string; refreshToken: string }[]> {
  const waiting = [...housed.refreshTokens];
  const obtained: { accessToken: string; refreshToken: string }[] = [];
  const callers = Array.from({ length: 16 }, (_, index) => new Caller(target, index));
  await Promise.all(
    callers.map(async (caller) => {
      for (let token = waiting.pop(); token !== undefined; token = waiting.pop()) {
        const next = await rotate(caller, token);
        if (!next) throw new Error(`a stored session could not be refreshed: ${caller.last?.body}`);
        const asked = introspections([next.access_token]).operation(caller);
        if (!(await asked)) throw new Error(`a stored session is not active: ${caller.last?.body}`);
        obtained.push({ accessToken: next.access_token, refreshToken: next.refresh_token });
      }
      caller.close();
    }),
  );
  return obtained;
}

function compared(contenders: readonly Contender<Grown>[], about: About): Row[] {
  const rows = contenders.map(({ rounds, name: { housed, subject } }) => ({
    ...rowOfRounds(about, rounds),
    details: {
      sessions: housed.sessions,
      resident_mib: rounded((residentBytesOf(subject.pid) ?? Number.NaN) / mebibyte),
    },
  }));
  const few = rows[0]?.value ?? Number.NaN;
  return rows.map((row) => ({ ...row, details: { ...row.details, ratio_to_few: rounded(row.value / few) } }));
}

import type { Round } from './load/run-load.ts';
import { ascending, median } from './measure/distribution.ts';
import type { SubjectName } from './scenarios/scenario.ts';

/** The figures of one number of callers: the best round, and the median of all. Names as they are printed. */
export type CallerFigures = {
  callers: number;
  value: number;
  median: number;
  per_second: number;
  p50_ms: number;
  p99_ms: number;
};

/**
 * One line of the report. `value`: the best round; its `unit` is `ops/cpu_s` (operations per second of the server's processor time), `ops/s` where that is not known, `ms` or `MiB`.
 * `ratio_to_peer` and `ratio_to_limit`: this value to theirs in the same run.
 */
export type Row = {
  scenario: string;
  store: 'sqlite';
  subject: SubjectName;
  value: number;
  unit: 'ops/cpu_s' | 'ops/s' | 'ms' | 'MiB';
  median: number;
  p50_ms: number | null;
  p99_ms: number | null;
  errors: number;
  ratio_to_peer: number | null;
  ratio_to_limit: number | null;
  by_callers?: CallerFigures[];
};

/** A row from the rounds of one subject. */
export function rowOfRounds(scenario: string, subject: SubjectName, rounds: readonly Round[]): Row {
  const isTimed = rounds.every((round) => round.perCpuSecond !== undefined);
  const valueIn = (round: Round) => (isTimed ? (round.perCpuSecond as number) : round.perSecond);
  const byCallers = [...new Set(rounds.map((round) => round.callers))].map((callers) => {
    const own = rounds.filter((round) => round.callers === callers);
    const best = own.reduce((a, b) => (valueIn(b) > valueIn(a) ? b : a));
    return {
      callers,
      value: rounded(valueIn(best)),
      median: rounded(median(own.map(valueIn))),
      per_second: rounded(best.perSecond),
      p50_ms: rounded(best.p50Ms),
      p99_ms: rounded(best.p99Ms),
    };
  });
  const best = byCallers.reduce((a, b) => (b.value > a.value ? b : a));
  return {
    scenario,
    store: 'sqlite',
    subject,
    value: best.value,
    unit: isTimed ? 'ops/cpu_s' : 'ops/s',
    median: best.median,
    p50_ms: best.p50_ms,
    p99_ms: best.p99_ms,
    errors: rounds.reduce((sum, round) => sum + round.errors, 0),
    ratio_to_peer: null,
    ratio_to_limit: null,
    by_callers: byCallers,
  };
}

/** A row from single times in milliseconds; the value is the median. */
export function rowOfTimes(
  scenario: string,
  subject: SubjectName,
  milliseconds: readonly number[],
  errors: number,
): Row {
  const sorted = ascending(milliseconds);
  const at = (part: number) =>
    rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN);
  return {
    scenario,
    store: 'sqlite',
    subject,
    value: at(0.5),
    unit: 'ms',
    median: at(0.5),
    p50_ms: at(0.5),
    p99_ms: at(0.99),
    errors,
    ratio_to_peer: null,
    ratio_to_limit: null,
  };
}

/** The rows of one scenario, those of this server with their ratios to the others. */
export function withRatios(rows: readonly Row[]): Row[] {
  const valueIn = (subject: SubjectName) => rows.find((row) => row.subject === subject)?.value;
  const ratio = (value: number, other: number | undefined) => (other === undefined ? null : rounded(value / other));
  return rows.map((row) =>
    row.subject === 'tessera'
      ? {
          ...row,
          ratio_to_peer: ratio(row.value, valueIn('oidc-provider')),
          ratio_to_limit: ratio(row.value, valueIn('limit')),
        }
      : row,
  );
}

/** Three digits that mean something. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

const columns = [
  ['scenario', 25],
  ['subject', -14],
  ['callers', 8],
  ['best', 10],
  ['median', 10],
  ['unit', -10],
  ['ops/s', 8],
  ['p50 ms', 8],
  ['p99 ms', 8],
  ['errors', 7],
  ['to peer', 8],
  ['to limit', 9],
] as const;

/** The head of the table. */
export function tableHead(): string {
  const names = line(columns.map(([name]) => name));
  return `${names}\n${'-'.repeat(names.length)}`;
}

/** A row as lines of the table, one for each number of callers. */
export function tableLines(row: Row): string {
  const ratios = [row.ratio_to_peer, row.ratio_to_limit].map((ratio) => (ratio === null ? '' : `${ratio}x`));
  const { value, median: middle, p50_ms, p99_ms } = row;
  const figures = row.by_callers ?? [{ callers: '', value, median: middle, per_second: '', p50_ms, p99_ms }];
  return figures
    .map((one) =>
      line([
        row.scenario,
        row.subject,
        one.callers,
        one.value,
        one.median,
        row.unit,
        one.per_second,
        one.p50_ms ?? '',
        one.p99_ms ?? '',
        row.errors,
        ...(one.value === row.value ? ratios : ['', '']),
      ]),
    )
    .join('\n');
}

function line(values: readonly (string | number)[]): string {
  return values
    .map((value, index) => {
      const width = columns[index]?.[1] ?? 10;
      return width < 0 || index === 0 ? String(value).padEnd(Math.abs(width)) : String(value).padStart(width);
    })
    .join(' ');
}

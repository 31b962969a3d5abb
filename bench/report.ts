import type { Round } from './load/run-load.ts';
import { ascending, median, quantile } from './measure/distribution.ts';
import type { StoreName, SubjectName } from './scenarios/scenario.ts';

/** The figures of one number of callers: the best round, and the median of all. Names as they are printed. */
export type CallerFigures = {
  callers: number;
  value: number;
  median: number;
  per_second: number;
  p50_ms: number;
  p99_ms: number;
};

/** What a figure is about. `store`: what the subject ran on; where it needs none, the first that is measured. */
export type About = { scenario: string; store: StoreName; subject: SubjectName };

/** `ops/cpu_s`: operations per second of the server's processor time, its database included; `ops/s` where that is not known. */
export type Unit = 'ops/cpu_s' | 'ops/s' | 'ms' | 'MiB' | 'bytes' | 'rows';

/**
 * One line of the report. `value`: the best round. `ratio_to_peer`, `ratio_to_grouped_peer` and `ratio_to_limit`: this value to theirs in the same run. `details`: what else belongs to it.
 */
export type Row = About & {
  value: number;
  unit: Unit;
  median: number;
  p50_ms: number | null;
  p99_ms: number | null;
  errors: number;
  ratio_to_peer: number | null;
  ratio_to_grouped_peer: number | null;
  ratio_to_limit: number | null;
  by_callers?: CallerFigures[];
  details?: Record<string, number>;
};

/** A row of one figure. */
export function rowOfFigure(about: About, unit: Unit, value: number, details?: Record<string, number>): Row {
  const noRatios = { ratio_to_peer: null, ratio_to_grouped_peer: null, ratio_to_limit: null };
  const none = { p50_ms: null, p99_ms: null, errors: 0, ...noRatios };
  const figure = rounded(value);
  return { ...about, value: figure, unit, median: figure, ...none, ...(details && { details }) };
}

/** A row from the rounds of one subject: what it did per second of processor time or, measured in `ms`, how long one took in the middle. */
export function rowOfRounds(about: About, rounds: readonly Round[], measured: 'ops' | 'ms' = 'ops'): Row {
  const isTimed = rounds.every((round) => round.perCpuSecond !== undefined);
  const valueIn = (round: Round) => {
    if (measured === 'ms') return round.p50Ms;
    return isTimed ? (round.perCpuSecond as number) : round.perSecond;
  };
  const isBetter = (a: number, b: number) => (measured === 'ms' ? a < b : a > b);
  const byCallers = [...new Set(rounds.map((round) => round.callers))].map((callers) => {
    const own = rounds.filter((round) => round.callers === callers);
    const best = own.reduce((a, b) => (isBetter(valueIn(b), valueIn(a)) ? b : a));
    return {
      callers,
      value: rounded(valueIn(best)),
      median: rounded(median(own.map(valueIn))),
      per_second: rounded(best.perSecond),
      p50_ms: rounded(best.p50Ms),
      p99_ms: rounded(best.p99Ms),
    };
  });
  const best = byCallers.reduce((a, b) => (isBetter(b.value, a.value) ? b : a));
  const operations = isTimed ? 'ops/cpu_s' : 'ops/s';
  return {
    ...rowOfFigure(about, measured === 'ms' ? 'ms' : operations, best.value),
    median: best.median,
    p50_ms: best.p50_ms,
    p99_ms: best.p99_ms,
    errors: rounds.reduce((sum, round) => sum + round.errors, 0),
    by_callers: byCallers,
  };
}

/** A row from single times in milliseconds; the value is the median. */
export function rowOfTimes(about: About, milliseconds: readonly number[], errors: number): Row {
  const sorted = ascending(milliseconds);
  const middle = quantile(sorted, 0.5);
  return {
    ...rowOfFigure(about, 'ms', middle),
    p50_ms: rounded(middle),
    p99_ms: rounded(quantile(sorted, 0.99)),
    errors,
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
          ratio_to_grouped_peer: ratio(row.value, valueIn('oidc-provider-grouped')),
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
  ['store', -9],
  ['subject', -21],
  ['callers', 8],
  ['best', 10],
  ['median', 10],
  ['unit', -10],
  ['ops/s', 8],
  ['p50 ms', 8],
  ['p99 ms', 8],
  ['errors', 7],
  ['to peer', 8],
  ['grouped', 8],
  ['to limit', 9],
] as const;

/** The head of the table. */
export function tableHead(): string {
  const names = line(columns.map(([name]) => name));
  return `${names}\n${'-'.repeat(names.length)}`;
}

/** A row as lines of the table, one for each number of callers. */
export function tableLines(row: Row): string {
  const ratios = [row.ratio_to_peer, row.ratio_to_grouped_peer, row.ratio_to_limit].map((ratio) =>
    ratio === null ? '' : `${ratio}x`,
  );
  const { value, median: middle, p50_ms, p99_ms } = row;
  const figures = row.by_callers ?? [{ callers: '', value, median: middle, per_second: '', p50_ms, p99_ms }];
  return figures
    .map((one) =>
      line([
        row.scenario,
        row.store,
        row.subject,
        one.callers,
        one.value,
        one.median,
        row.unit,
        one.per_second,
        one.p50_ms ?? '',
        one.p99_ms ?? '',
        row.errors,
        ...(one.value === row.value ? ratios : ratios.map(() => '')),
      ]),
    )
    .concat(row.details ? [detailsLine(row.details)] : [])
    .join('\n');
}

function detailsLine(details: Readonly<Record<string, number>>): string {
  return `  ${Object.entries(details)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')}`;
}

function line(values: readonly (string | number)[]): string {
  return values
    .map((value, index) => {
      const width = columns[index]?.[1] ?? 10;
      return width < 0 || index === 0 ? String(value).padEnd(Math.abs(width)) : String(value).padStart(width);
    })
    .join(' ');
}

import { readFileSync } from 'node:fs';
import type { Row } from './report.ts';
import type { StoreName } from './scenarios/scenario.ts';

/**
 * Turns what `npm run bench -- --json` printed into the tables of docs/performance.md. Usage: node scripts/run.mjs bench/figures.ts FILE.
 */
const rows = readFileSync(process.argv[2] ?? 0, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Row);
const withDetails = rows.filter((row) => row.details);
console.log(
  `${comparison(rows.filter((row) => !row.details && row.scenario !== 'disk_flush'))}\n\n${details(withDetails)}`,
);

function comparison(compared: readonly Row[]): string {
  const head = ['scenario', 'unit', ...['SQLite', 'Postgres'].flatMap(headOfStore), 'limit'];
  const names = [...new Set(compared.map((row) => row.scenario))];
  return table(
    head,
    names.map((scenario) => {
      const own = compared.filter((row) => row.scenario === scenario);
      const limit = own.find((row) => row.subject === 'limit');
      const unit = own[0]?.unit ?? '';
      return [`\`${scenario}\``, unit, ...cellsOf(own, 'sqlite'), ...cellsOf(own, 'postgres'), figure(limit?.value)];
    }),
  );
}

function headOfStore(store: string): string[] {
  return [`${store}: Tessera`, 'oidc-provider', 'to peer', 'to it grouped', 'p50 / p99, ms'];
}

function cellsOf(rows: readonly Row[], store: StoreName): string[] {
  const of = (subject: Row['subject']) => rows.find((row) => row.store === store && row.subject === subject);
  const ours = of('tessera');
  const waits = ours?.p50_ms == null ? '–' : `${ours.p50_ms} / ${ours.p99_ms}`;
  const ratios = [ours?.ratio_to_peer, ours?.ratio_to_grouped_peer].map((ratio) => (ratio == null ? '–' : `${ratio}x`));
  return [figure(ours?.value), figure(of('oidc-provider')?.value), ...ratios, waits];
}

/** Rows that say more than the others: one line each. */
function details(rows: readonly Row[]): string {
  return table(
    ['scenario', 'store', 'value', 'unit', 'p50 / p99, ms', 'and'],
    rows.map((row) => [
      `\`${row.scenario}\``,
      row.store,
      figure(row.value),
      row.unit,
      row.p50_ms === null ? '–' : `${row.p50_ms} / ${row.p99_ms}`,
      Object.entries(row.details ?? {})
        .map(([name, value]) => `${name} ${value.toLocaleString('en')}`)
        .join(', '),
    ]),
  );
}

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function figure(value: number | undefined): string {
  return value === undefined ? '–' : value.toLocaleString('en');
}

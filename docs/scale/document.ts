import { demandOf } from './demand.ts';
import { oceanTable, standbyTable } from './distance.ts';
import { edgesTable, manyEdgesTable, relayTable } from './edges.ts';
import { describedFigures, readFigures, readWorkload, type Workload } from './figures.ts';
import { limitsTable } from './limits.ts';
import { checkpointTable, logTable } from './log-volume.ts';
import { massEndingTable, passwordTable } from './mass-ending.ts';
import { herdTable, outageTable } from './outage-table.ts';
import { processorsTable, sizingOf, spreadTable } from './processors.ts';
import { requestsTable } from './requests.ts';
import { storageTable } from './storage.ts';
import { bytes, short, table } from './table.ts';
import { heapOnlyTable, upkeepTable } from './upkeep.ts';

/** The tables of `docs/scale.md`, by the name that stands in their marks. Deterministic: the seed stands in `workloads.json`. */
export function scaleTables(): Record<string, string> {
  const figures = readFigures();
  const workload = readWorkload();
  const demands = workload.sizes.map((users) => demandOf(users, workload));
  const sizings = demands.map((demand) => sizingOf(demand, figures, workload));
  const [large, largest] = [sizings.at(-2)!, sizings.at(-1)!];
  return {
    limits: limitsTable(figures, workload),
    workload: workloadTable(workload),
    requests: requestsTable(demands, workload.use.peakOverAverage),
    processors: processorsTable(sizings, figures, workload),
    spread: spreadTable(largest.demand.users, figures, workload),
    storage: storageTable(demands, figures, workload),
    log: logTable(demands, figures, workload),
    checkpoints: checkpointTable(largest.demand, figures, workload),
    upkeep: upkeepTable(sizings, figures, workload),
    'heap-only': heapOnlyTable(figures),
    edges: edgesTable(sizings, figures, workload),
    'many-edges': manyEdgesTable(figures, workload),
    relays: relayTable(figures, workload),
    'mass-ending': massEndingTable(largest.demand, figures, workload),
    passwords: passwordTable(demands, figures, workload),
    herd: herdTable(demands, figures, workload),
    outage: outageTable(workload),
    standby: standbyTable(large, figures, workload),
    ocean: oceanTable(figures),
  };
}

/** The document with each table between its marks replaced. Throws when a mark is missing or a table has none. */
export function withScaleTables(document: string, tables: Record<string, string> = scaleTables()): string {
  let text = document;
  for (const [name, content] of Object.entries(tables)) {
    const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from === -1 || to < from) throw new TypeError(`document: expected ${begin} before ${end}`);
    text = `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
  }
  return text;
}

/** The document of all figures: `docs/scale/figures.md`. */
export function figuresDocument(): string {
  const rows = describedFigures().map(({ name, value, unit, kind, where }) => [
    `\`${name}\``,
    `${value.toLocaleString('en')} ${unit}`,
    kind,
    where,
  ]);
  return `# Figures of the scale model

What \`figures.json\` holds. Times of one process are processor time. Small runs on two shared cores; where several were made the lowest counts, because disturbance only makes dearer.

${table(['figure', 'value', '', 'from'], rows)}
`;
}

function workloadTable({ people, use, apis, keeping, operation }: Workload): string {
  const cells = Object.entries({ ...people, ...use, ...apis, ...keeping, ...operation }).map(([name, value]) => [
    `\`${name}\``,
    /bytes/i.test(name) ? bytes(value) : short(value),
  ]);
  // Two side by side: it is a long list of short things.
  const half = Math.ceil(cells.length / 2);
  return table(
    ['assumption', 'value', 'assumption', 'value'],
    cells.slice(0, half).map((left, index) => [...left, ...(cells[index + half] ?? ['', ''])]),
  );
}

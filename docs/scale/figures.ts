import figures from './figures.json' with { type: 'json' };
import workloads from './workloads.json' with { type: 'json' };

export type FigureName = keyof typeof figures;

/** The values of `figures.json`. */
export type Figures = Record<FigureName, number>;

/** What `workloads.json` assumes of people, apps, APIs and machines. */
export type Workload = typeof workloads;

/** The values of `figures.json`, with others in their place where `changes` names them. */
export function readFigures(changes: Partial<Figures> = {}): Figures {
  const values = Object.entries(figures).map(([name, { value }]) => [name, value]);
  return { ...(Object.fromEntries(values) as Figures), ...changes };
}

/** Each figure with its unit and where it comes from. */
export function describedFigures(): { name: string; value: number; unit: string; kind: string; where: string }[] {
  return Object.entries(figures).map(([name, figure]) => ({ name, ...figure }));
}

/** The assumptions of `workloads.json`. */
export function readWorkload(): Workload {
  return workloads;
}

/** A row of the table `progress`: how far long work has come, by its name. */
export type ProgressRow = { task: string; state: string };

/** The name under which the contractions that were done are counted. */
export const contractedTask = 'contracted';

const prefix = 'back-fill ';
const isDone = 'done';

/** The name under which a back-fill keeps how far it is. */
export function backFillTask(name: string): string {
  return `${prefix}${name}`;
}

/** How far a back-fill is after a slice, by the numbers of the rows it did. */
export function stateAfterSlice(rows: readonly { no: number }[]): string {
  return rows.length === 0 ? isDone : String(rows.reduce((most, { no }) => Math.max(most, no), 0));
}

/** What the table tells of contractions and back-fills. */
export function readProgress(rows: readonly ProgressRow[]): { contracted: number; backFilled: string[] } {
  return {
    contracted: Number(rows.find(({ task }) => task === contractedTask)?.state ?? 0),
    backFilled: rows
      .filter(({ task, state }) => task.startsWith(prefix) && state === isDone)
      .map(({ task }) => task.slice(prefix.length)),
  };
}

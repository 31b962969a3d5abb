/** The value below which that part of the sorted values lies. `part`: 0.5 is the median. NaN for no values. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** The values in ascending order; the given ones stay as they are. */
export function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

/** The median. */
export function median(values: readonly number[]): number {
  return quantile(ascending(values), 0.5);
}

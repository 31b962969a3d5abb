/** A table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

/** A number to two places that count: a model knows no more. Thousands, millions and billions shortened; below a thousandth: 0. */
export function short(value: number): string {
  if (value >= 1e9) return `${places(value / 1e9)} bn`;
  if (value >= 1e6) return `${places(value / 1e6)} M`;
  if (value >= 1e4) return `${places(value / 1e3)} k`;
  return value < 0.001 ? '0' : places(value);
}

/** Bytes in decimal units, as disks and networks are sold. */
export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  for (let left = value; left >= 1000 && unit < units.length - 1; left /= 1000) unit += 1;
  return `${places(value / 1000 ** unit)} ${units[unit]}`;
}

/** Seconds in the unit that suits: milliseconds to hours. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${places(seconds * 1000)} ms`;
  if (seconds < 120) return `${places(seconds)} s`;
  return seconds < 7200 ? `${places(seconds / 60)} min` : `${places(seconds / 3600)} h`;
}

/** A share in whole per cent. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function places(value: number): string {
  if (value >= 1000) return Math.round(Number(value.toPrecision(2))).toLocaleString('en');
  return `${Number(value.toPrecision(2))}`;
}

/**
 * The known word that an unknown one was probably meant to be, or undefined when none is near. Case, `_` and `-` do not count, so that
 * `redirectUris` finds `redirect_uris`.
 */
export function suggest(word: string, known: readonly string[]): string | undefined {
  const meant = plain(word);
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(meant, plain(candidate)) }))
    .sort((one, other) => one.distance - other.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(1, Math.floor(meant.length / 3)) ? best.candidate : undefined;
}

/** The ending of a message: `; did you mean "x"?`, or nothing when no known word is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  const meant = suggest(word, known);
  return meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
}

function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[_-]/g, '');
}

/** Levenshtein's distance, two neighbours swapped counting as one edit. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= a.length; row++) {
    const above = rows[row - 1]!;
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      const changed = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      const swapped =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
          ? rows[row - 2]![column - 2]! + 1
          : Number.POSITIVE_INFINITY;
      line.push(Math.min(above[column]! + 1, line[column - 1]! + 1, changed, swapped));
    }
    rows.push(line);
  }
  return rows[a.length]![b.length]!;
}

/** Remembers what maps held before they were changed, so that the changes of one commit can be taken back. */
export class UndoLog {
  readonly #undo: (() => void)[] = [];

  /** Sets a value; the one it replaces must not be changed itself. */
  set<K, V>(map: Map<K, V>, key: K, value: V): void {
    const had = map.get(key);
    this.#undo.push(() => {
      if (had === undefined) map.delete(key);
      else map.set(key, had);
    });
    map.set(key, value);
  }

  /** The state as of now, to come back to with `undoTo`. */
  mark(): number {
    return this.#undo.length;
  }

  undoTo(mark: number): void {
    for (const undo of this.#undo.splice(mark).reverse()) undo();
  }
}

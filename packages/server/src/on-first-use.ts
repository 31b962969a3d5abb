/**
 * Loads what is not always needed with its first use, and keeps it. A failure is not kept: a process that could open no file at that moment tries again with the next use.
 */
export function onFirstUse<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => {
    loaded ??= load().catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
}

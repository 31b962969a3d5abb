/** Imports a module of the operator by its URL. A file of its own, because in the bundle, which is a script, whoever starts it does the importing. */
export function importModule(url: string): Promise<unknown> {
  return import(url);
}

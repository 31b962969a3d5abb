import { extname } from 'node:path';

/** Where the code of a thread is: beside this file, with this file's ending: from sources, built, and in the bundle, which carries the threads as files of their own. */
export function threadUrl(name: 'writer' | 'checkpointer'): URL {
  return new URL(`./${name}${extname(import.meta.url)}`, import.meta.url);
}

/**
 * Where the code of a thread is: beside this file, with this file's ending, both from sources and built. A bundle must carry the threads as
 * files of their own next to it.
 */
export function threadUrl(name: 'writer' | 'checkpointer'): URL {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./${name}.${ending}`, import.meta.url);
}

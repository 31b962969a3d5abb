import { type ConfigKey, listConfigKeys } from './key-list.ts';

/** Between these lines `docs/configuration.md` holds what `configReference` says. */
export const referenceMarks = { begin: '<!-- reference: begin -->', end: '<!-- reference: end -->' };

/** All keys of the file as Markdown: a table for each section, made from the schema. */
export function configReference(): string {
  const keys = listConfigKeys();
  const top = keys.filter(({ kind }) => kind === 'value');
  return [
    ...['### Top level', '', ...table(top, '')],
    ...keys.filter(({ children }) => children.length > 0).flatMap((key) => ['', ...sectionLines(key)]),
  ].join('\n');
}

/** The document with the reference between its marks replaced. Throws when a mark is missing. */
export function withReference(document: string): string {
  const begin = document.indexOf(referenceMarks.begin);
  const end = document.indexOf(referenceMarks.end);
  if (begin === -1 || end < begin)
    throw new TypeError(`document: expected ${referenceMarks.begin} before ${referenceMarks.end}`);
  const head = document.slice(0, begin + referenceMarks.begin.length);
  return `${head}\n\n${configReference()}\n\n${document.slice(end)}`;
}

function sectionLines(key: ConfigKey): string[] {
  return [`### \`${key.name}\``, '', key.description, '', ...table(key.children, '')];
}

function table(keys: readonly ConfigKey[], prefix: string): string[] {
  return ['| key | meaning | allowed | default |', '|---|---|---|---|', ...keys.flatMap((key) => rows(key, prefix))];
}

function rows(key: ConfigKey, prefix: string): string[] {
  const name = `${prefix}${key.name}`;
  const absent = key.defaultWords ?? (key.kind === 'value' ? '**needed**' : '');
  const cells = [`\`${name}\``, key.description, key.allowed, absent].map((cell) => cell.replaceAll('|', '\\|'));
  const below = key.kind === 'names' ? `${name}.<name>.` : `${name}.`;
  return [`| ${cells.join(' | ')} |`, ...key.children.flatMap((child) => rows(child, below))];
}

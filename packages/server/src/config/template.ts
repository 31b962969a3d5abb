import { stringify } from 'yaml';
import { type ConfigKey, listConfigKeys } from './key-list.ts';

/** What the commented file begins with. Without a password it declares no user. */
export type TemplateValues = { issuer: string; username?: string; password?: string };

/**
 * The commented file that `tessera init` writes (YAML): each key with its meaning, what is allowed and its default, and a public app with a resource server to begin
 * with. Made from the schema. Settings that are not in force stand behind a `#` without a blank; take it away to use them.
 */
export function configTemplate({ issuer, username = 'admin', password }: TemplateValues): string {
  const values: Values = { issuer, clients: [exampleClient], resourceServers: [exampleResourceServer] };
  if (password !== undefined) values.users = [{ username, password }];
  return [...head, ...listConfigKeys().flatMap((key) => ['', ...keyLines(key, values[key.name])]), ''].join('\n');
}

type Values = Record<string, unknown>;

const audience = 'https://api.example.com/orders';

const exampleClient = {
  client_id: 'example-app',
  client_name: 'Example app',
  redirect_uris: ['http://localhost:5173/callback'],
  post_logout_redirect_uris: ['http://localhost:5173/'],
  scope: 'openid profile email orders:read orders:write',
  defaultResources: [audience],
};

const exampleResourceServer = {
  id: 'orders',
  name: 'Orders',
  audiences: [audience],
  scopes: {
    'orders:read': { description: 'See your orders' },
    'orders:write': { description: 'Change your orders' },
  },
};

const head = [
  '# The settings of Tessera. A wrong one is refused at the start, with its key and what is allowed.',
  '# Lines that begin with # and a key are not in force; take the # away to use them. Times are whole seconds.',
  '# Overridden from outside: TESSERA_ISSUER, TESSERA_PORT, TESSERA_HOST, TESSERA_DATA, TESSERA_STORE, TESSERA_WORKERS,',
  '# TESSERA_LOG_LEVEL.',
];

/** The lines of one key, not indented: its documentation, then the key, behind a `#` when it has no value. */
function keyLines(key: ConfigKey, value: unknown): string[] {
  const setting =
    value === undefined ? settingLines(key, undefined).map((line) => `#${line}`) : settingLines(key, value);
  return [...wrap(documentation(key)), ...setting];
}

function settingLines(key: ConfigKey, value: unknown): string[] {
  if (key.kind === 'section') return [`${key.name}:`, ...indent(childLines(key, value as Values | undefined))];
  if (key.kind === 'list')
    return [`${key.name}:`, ...indent(entriesOf(value).flatMap((entry) => entryLines(key, entry)))];
  if (key.kind === 'names') return [`${key.name}:`, ...indent(namesLines(key, value ?? key.example))];
  return [`${key.name}: ${inline(value ?? placeholder(key))}`];
}

function childLines(key: ConfigKey, values: Values | undefined): string[] {
  // Within a section that is behind a # as a whole, nothing has one of its own.
  return key.children.flatMap((child) =>
    values === undefined
      ? [...wrap(documentation(child)), ...settingLines(child, undefined)]
      : keyLines(child, values[child.name]),
  );
}

function entryLines(key: ConfigKey, entry: Values): string[] {
  return [`- # ${key.name}[]`, ...indent(childLines(key, entry))];
}

/** In a list that is not in force the keys that are needed show what an entry is. */
function entriesOf(value: unknown): Values[] {
  return value === undefined ? [{}] : (value as Values[]);
}

function namesLines(key: ConfigKey, value: unknown): string[] {
  const documented = key.children.flatMap((child) => wrap(`${child.name}: ${documentation(child)}`));
  const lines = Object.entries(value as Values).map(([name, inside]) => `${inline(name)}: ${inline(inside)}`);
  return [...documented, ...lines];
}

function placeholder({ defaultValue, example }: ConfigKey): unknown {
  const isEmpty = typeof defaultValue === 'object' && defaultValue !== null && Object.keys(defaultValue).length === 0;
  return defaultValue === undefined || (isEmpty && example !== undefined) ? example : defaultValue;
}

function documentation({ description, allowed, defaultWords, kind }: ConfigKey): string {
  const limits = kind === 'section' || kind === 'list' ? '' : ` Allowed: ${allowed}.`;
  const absent = defaultWords === undefined ? (kind === 'value' ? ' Needed.' : '') : ` Default: ${defaultWords}.`;
  return `${description}${limits}${absent}`.replaceAll('`', '');
}

function wrap(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line !== '' && line.length + word.length > 106) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line) => `# ${line}`);
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
}

import * as z from 'zod';
import { configSchema } from './schema.ts';

/** One key of the file, with what its documentation says. `path` as in `clients[].lifetimes.idle`; `<scope>` stands for a name of one's own. */
export type ConfigKey = {
  path: string;
  /** The last part of the path. */
  name: string;
  description: string;
  /** What may stand there, in words. */
  allowed: string;
  /** The default in words; absent for a key that is needed. */
  defaultWords?: string;
  /** The default, where it is a value. */
  defaultValue?: unknown;
  example?: unknown;
  /** `list`: of sections; `names`: a section whose keys are names of one's own. */
  kind: 'value' | 'section' | 'list' | 'names';
  children: ConfigKey[];
};

/** All keys of the file, in its order, read from the schema. */
export function listConfigKeys(): ConfigKey[] {
  const root = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Schema;
  return childrenOf(root, '');
}

/** The keys and all keys below them. */
export function flattenKeys(keys: readonly ConfigKey[]): ConfigKey[] {
  return keys.flatMap((key) => [key, ...flattenKeys(key.children)]);
}

type Schema = {
  type?: string;
  description?: string;
  allowed?: string;
  defaultText?: string;
  default?: unknown;
  example?: unknown;
  enum?: string[];
  minimum?: number;
  maximum?: number;
  unit?: 'seconds';
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | false;
  items?: Schema;
};

function childrenOf(schema: Schema, prefix: string): ConfigKey[] {
  const required = schema.required ?? [];
  return Object.entries(schema.properties ?? {}).map(([name, child]) =>
    toKey(name, prefix === '' ? name : `${prefix}.${name}`, child, required.includes(name)),
  );
}

function toKey(name: string, path: string, schema: Schema, required: boolean): ConfigKey {
  const { description = '', example } = schema;
  const { kind, children } = insideOf(schema, path);
  const key: ConfigKey = { path, name, description, allowed: allowedIn(schema, kind), kind, children };
  if (example !== undefined) key.example = example;
  const isEmptySection = kind === 'section' && JSON.stringify(schema.default) === '{}';
  if (schema.default !== undefined && !isEmptySection) key.defaultValue = schema.default;
  if (schema.defaultText !== undefined) key.defaultWords = schema.defaultText;
  else if (key.defaultValue !== undefined) key.defaultWords = inWords(key.defaultValue, schema.unit === 'seconds');
  else if (!required && kind === 'value') throw new TypeError(`${path}: say in its defaultText what its absence means`);
  return key;
}

function insideOf(schema: Schema, path: string): Pick<ConfigKey, 'kind' | 'children'> {
  if (schema.properties) return { kind: 'section', children: childrenOf(schema, path) };
  if (schema.items?.properties) return { kind: 'list', children: childrenOf(schema.items, `${path}[]`) };
  const named = schema.additionalProperties;
  if (named && 'properties' in named) return { kind: 'names', children: childrenOf(named, `${path}.<name>`) };
  return { kind: 'value', children: [] };
}

function allowedIn(schema: Schema, kind: ConfigKey['kind']): string {
  if (schema.allowed !== undefined) return schema.allowed;
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.type === 'boolean') return '`true`, `false`';
  if (schema.type === 'integer') return `${schema.minimum} to ${schema.maximum}${schema.unit ? ` ${schema.unit}` : ''}`;
  return { section: 'a section', list: 'a list of sections', names: 'name: section', value: schema.type ?? '' }[kind];
}

function inWords(value: unknown, isDuration: boolean): string {
  if (Array.isArray(value) && value.length === 0) return 'none';
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return 'none';
  return `\`${String(value)}\`${isDuration ? readable(Number(value)) : ''}`;
}

/** 900 reads as 15 minutes. */
function readable(seconds: number): string {
  const units = [
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ] as const;
  const unit = units.find(([size]) => seconds >= size && seconds % size === 0);
  if (!unit) return '';
  const count = seconds / unit[0];
  return ` (${count} ${unit[1]}${count === 1 ? '' : 's'})`;
}

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { errorStatus, refusalReasons } from '@tessera/protocol';
import { figuresDocument, withScaleTables } from '../docs/scale/document.ts';
import { withReference } from '../packages/server/src/config/reference.ts';
import { eventTypes } from '../packages/server/src/events/event-types.ts';
import { revocationTypes } from '../packages/server/src/events/revocation-of-event.ts';

const root = resolve(import.meta.dirname, '..');

/** The documents that are made from the code, by path: what they should hold. */
export function generatedDocuments(): Record<string, string> {
  const configuration = 'docs/configuration.md';
  const scale = 'docs/scale.md';
  return {
    'docs/refusals.md': refusals(),
    'docs/events.md': events(),
    [configuration]: withReference(readFileSync(resolve(root, configuration), 'utf8')),
    'docs/scale/figures.md': figuresDocument(),
    [scale]: withScaleTables(readFileSync(resolve(root, scale), 'utf8')),
  };
}

function refusals(): string {
  return `# Refusals

Every refusal carries an id: in the header \`Tessera-Refusal-Id\`, and as \`refusal_id\` in a JSON answer or in brackets in a redirected \`error_description\`. The wire says
what helps whoever integrates and nothing about which users, tokens or clients exist. The log and the event behind the id hold the reason:

| reason | what it means |
|---|---|
${Object.entries(refusalReasons)
  .map(([reason, words]) => `| \`${reason}\` | ${words} |`)
  .join('\n')}

The \`error\` codes are those of the IANA OAuth registry, answered with:

| error | status |
|---|---|
${Object.entries(errorStatus)
  .map(([error, status]) => `| \`${error}\` | ${status} |`)
  .join('\n')}

A throttled request is answered with 429 and \`Retry-After\`, a body that is too large with 413.
`;
}

function events(): string {
  return `# Events

Each is appended in the same transaction as the change it tells. The list is closed. Those marked † also go out on the [revocation feed](revocation-feed.md).

| type | what happened |
|---|---|
${Object.entries(eventTypes)
  .map(([type, words]) => `| \`${type}\`${revocationTypes.some((one) => one === type) ? ' †' : ''} | ${words} |`)
  .join('\n')}
`;
}

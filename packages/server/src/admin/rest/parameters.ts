import * as z from 'zod';
import { hasControlCharacter, text } from '../../config/value-schemas.ts';

/** An id, as it stands in a path or a filter. `example`: one that the document's examples use. */
export function id(example: string, description: string) {
  return text('an id', (value) =>
    value !== '' && value.length <= 300 && !hasControlCharacter(value)
      ? undefined
      : 'is not an id; expected 1 to 300 characters',
  ).meta({ description, example });
}

/** A whole number in a query. */
export function numberInQuery(min: number, max: number) {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

/** What a list takes: how much, and from where on. */
export const pageShape = {
  after: text('the "next" of the page before', (value) =>
    value !== '' && value.length <= 1000 ? undefined : 'is not the "next" of a page',
  )
    .exactOptional()
    .meta({ description: 'Where the page before ended: its `next`.' }),
  limit: numberInQuery(1, 200).default(50).meta({ description: 'How many items at the most.', example: 20 }),
};

/** The ids that the examples of the document speak of. */
export const exampleIds = {
  userId: '0f8fad5bd9cb469fa16570867728950e',
  clientId: '9b2e41c07d5f4a68b3c1d2e0',
  resourceServerId: 'orders',
  sid: 'AZx7p2kAq1rT8wYv3nQmZg',
  grantId: 'AZx7p2kBHk5sV9xUe2LpRw',
  kid: 'yEw6q3m0VbT1sZc8dGfHjK',
  refusalId: 'b3J0cXVpbWFn',
};
export const userIdParam = { userId: id(exampleIds.userId, "The user's id: the `sub` of their tokens.") };
export const clientIdParam = { clientId: id(exampleIds.clientId, 'The `client_id`.') };
export const resourceServerIdParam = { id: id(exampleIds.resourceServerId, "The resource server's id.") };
export const sidParam = { sid: id(exampleIds.sid, 'The session.') };
export const grantIdParam = { grantId: id(exampleIds.grantId, 'The grant.') };

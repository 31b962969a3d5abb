import { findTargets } from '../tokens/targets.ts';
import type { AuthorizationCheck } from './authorization-request.ts';

/** The audiences the tokens will be for. Source: RFC 8707 section 2.1. */
export const checkResource: AuthorizationCheck = async (context, { resources, client, request }) => {
  const targets = await findTargets(context, client, resources, request.scopes);
  if (targets.kind === 'refuse') return targets;
  request.resources = targets.audiences;
  return undefined;
};

import * as z from 'zod';
import { passwordAcr } from '../authenticators/password.ts';
import { refuse } from '../http/refusal.ts';
import type { AuthorizationCheck } from './authorization-request.ts';

const member = z.record(
  z.string().max(64),
  z
    .object({
      essential: z.boolean().optional(),
      value: z.unknown().optional(),
      values: z.array(z.unknown()).max(20).optional(),
    })
    .nullable(),
);
const claimsParameter = z.object({ id_token: member.optional(), userinfo: member.optional() });

/**
 * The `claims` parameter: which claims go where, and which `acr` is essential. Members nobody knows are ignored. An `acr` that is wished for by `acr_values`
 * stays a wish. Source: OpenID Connect Core 1.0 sections 5.5 and 5.5.1.1.
 */
export const checkClaims: AuthorizationCheck = (_context, { parameters, client, request }) => {
  const { claims } = parameters;
  if (claims === undefined) return undefined;
  const invalid = (description: string) =>
    refuse('invalid_request', 'parameter_invalid', description, { facts: { clientId: client.clientId } });
  if (claims.length > 2048) return invalid('claims is longer than 2048 characters');
  const parsed = claimsParameter.safeParse(parseJson(claims));
  if (!parsed.success) return invalid('claims must be a JSON object as OpenID Connect Core section 5.5 describes it');
  const { id_token, userinfo } = parsed.data;
  request.claims = { ...(id_token && { id_token }), ...(userinfo && { userinfo }) };
  for (const sub of [id_token?.sub?.value, userinfo?.sub?.value]) {
    if (typeof sub !== 'string') continue;
    if (request.expectedSub !== undefined && request.expectedSub !== sub)
      return invalid('claims asks for another user than id_token_hint');
    request.expectedSub = sub;
  }
  const acr = id_token?.acr;
  if (acr?.essential) {
    const values = acr.values ?? (acr.value === undefined ? [passwordAcr] : [acr.value]);
    request.essentialAcr = values.filter((value) => typeof value === 'string');
  }
  return undefined;
};

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

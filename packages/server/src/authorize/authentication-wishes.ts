import { printable } from '../http/parameters.ts';
import { refuse } from '../http/refusal.ts';
import { readIdTokenHint } from '../tokens/id-token-hint.ts';
import { readWithKeysOfNow } from '../tokens/key-of-now.ts';
import type { AuthorizationCheck } from './authorization-request.ts';

const prompts = ['none', 'login', 'consent', 'select_account'];

/** How the request wants the user to be asked: prompt, max_age, login_hint, id_token_hint, ui_locales. Source: OpenID Connect Core 1.0 section 3.1.2.1. */
export const checkAuthenticationWishes: AuthorizationCheck = async (context, { parameters, client, request }) => {
  const facts = { clientId: client.clientId };
  const { prompt, max_age, login_hint, id_token_hint, ui_locales } = parameters;
  const asked = prompt === undefined ? [] : prompt.split(' ').filter((word) => word !== '');
  const strange = asked.find((word) => !prompts.includes(word));
  if (strange !== undefined)
    return refuse('invalid_request', 'parameter_invalid', `prompt "${printable(strange)}" is not offered`, { facts });
  if (asked.includes('none') && asked.length > 1)
    return refuse('invalid_request', 'parameter_invalid', 'prompt=none cannot be combined with another', { facts });
  // Each once: the request travels sealed in addresses, which have their limits.
  request.prompt = [...new Set(asked)];
  if (max_age !== undefined) {
    if (!/^\d{1,9}$/.test(max_age))
      return refuse('invalid_request', 'parameter_invalid', 'max_age must be whole seconds, 0 or more', { facts });
    request.maxAge = Number(max_age);
  }
  if (login_hint !== undefined) request.loginHint = login_hint.slice(0, 256);
  if (ui_locales !== undefined) request.uiLocales = ui_locales.slice(0, 128);
  if (id_token_hint !== undefined) {
    const hint = await readWithKeysOfNow(context, id_token_hint, () => readIdTokenHint(context, id_token_hint));
    if (!hint)
      return refuse('invalid_request', 'parameter_invalid', 'id_token_hint is not an ID token of this issuer', {
        facts,
      });
    request.expectedSub = hint.sub;
  }
  return undefined;
};

import { authorizationCode } from './authorization-code.ts';
import { clientCredentials } from './client-credentials.ts';
import type { GrantHandler } from './grant-handler.ts';
import { refreshToken } from './refresh-token.ts';

/** All grant types of the token endpoint. */
export const grantTypes: readonly GrantHandler[] = [authorizationCode, refreshToken, clientCredentials];

import { checkAuthenticationWishes } from './authentication-wishes.ts';
import type { AuthorizationCheck } from './authorization-request.ts';
import { checkClaims } from './claims.ts';
import { checkCodeChallenge } from './code-challenge.ts';
import { checkPlainValues } from './plain-values.ts';
import { checkRequestObject } from './request-object.ts';
import { checkResource } from './resource.ts';
import { checkResponseType } from './response-type.ts';
import { checkScope } from './scope.ts';

/** The checks of an authorization request, in order, once its client and redirect_uri are known to be right: from here on refusals go back to the client. */
export const authorizationChecks: readonly AuthorizationCheck[] = [
  checkResponseType,
  checkRequestObject,
  checkCodeChallenge,
  checkScope,
  checkResource,
  checkAuthenticationWishes,
  checkClaims,
  checkPlainValues,
];

import type { Context } from '../context.ts';
import { accountEndpoint } from '../endpoints/account.ts';
import { authorizationEndpoint, continueEndpoint } from '../endpoints/authorization.ts';
import { chooseAccountEndpoint } from '../endpoints/choose-account.ts';
import { consentEndpoint } from '../endpoints/consent.ts';
import { endSessionEndpoint, signedOutEndpoint, signOutEndpoint } from '../endpoints/end-session.ts';
import { healthEndpoint, metricsEndpoint, readinessEndpoint } from '../endpoints/health.ts';
import { homeEndpoint, stylesheetEndpoint } from '../endpoints/home.ts';
import { introspectionEndpoint } from '../endpoints/introspection.ts';
import { jwksEndpoint, metadataEndpoint } from '../endpoints/metadata.ts';
import { revocationEndpoint } from '../endpoints/revocation.ts';
import { revocationFeedEndpoint } from '../endpoints/revocation-feed.ts';
import { signInEndpoint } from '../endpoints/sign-in.ts';
import { tokenEndpoint } from '../endpoints/token.ts';
import { userinfoEndpoint } from '../endpoints/userinfo.ts';
import type { RevocationFeed } from '../events/revocation-feed.ts';
import type { Input, Output } from './message.ts';

/** Beside the context, what single routes need. */
export type Routed = { feed: RevocationFeed; isDraining: () => boolean };

/**
 * One route. `cors`: any origin may read it from script, since it takes no cookies. `page`: a person sees it, so refusals are pages.
 * `isPlain`: it is answered without anything the store holds, also while the store is away.
 */
export type Route = {
  path: string;
  cors?: boolean;
  page?: boolean;
  isPlain?: boolean;
  answer(context: Context, input: Input, routed: Routed): Output | Promise<Output>;
};

/** All routes below the issuer's path; the admin API lives under `/admin/api`. */
export const routes: readonly Route[] = [
  { path: '/token', cors: true, answer: tokenEndpoint },
  { path: '/introspect', answer: introspectionEndpoint },
  { path: '/userinfo', cors: true, answer: userinfoEndpoint },
  { path: '/revoke', cors: true, answer: revocationEndpoint },
  { path: '/events/poll', answer: (context, input, { feed }) => revocationFeedEndpoint(context, feed, input) },
  { path: '/.well-known/openid-configuration', isPlain: true, cors: true, answer: metadataEndpoint },
  { path: '/.well-known/oauth-authorization-server', isPlain: true, cors: true, answer: metadataEndpoint },
  { path: '/jwks', isPlain: true, cors: true, answer: jwksEndpoint },
  { path: '/authorize', page: true, answer: authorizationEndpoint },
  { path: '/authorize/continue', page: true, answer: continueEndpoint },
  { path: '/sign-in', page: true, answer: signInEndpoint },
  { path: '/choose-account', page: true, answer: chooseAccountEndpoint },
  { path: '/consent', page: true, answer: consentEndpoint },
  { path: '/end-session', page: true, answer: endSessionEndpoint },
  { path: '/sign-out', page: true, answer: signOutEndpoint },
  { path: '/signed-out', page: true, answer: signedOutEndpoint },
  { path: '/account', page: true, answer: accountEndpoint },
  { path: '/', page: true, isPlain: true, answer: homeEndpoint },
  { path: '/assets/tessera.css', isPlain: true, answer: stylesheetEndpoint },
  { path: '/health', isPlain: true, answer: healthEndpoint },
  {
    path: '/ready',
    isPlain: true,
    answer: (context, _input, { isDraining }) => readinessEndpoint(context, isDraining()),
  },
  { path: '/metrics', isPlain: true, answer: metricsEndpoint },
];

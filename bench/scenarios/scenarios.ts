import { clientCredentials, clientCredentialsRs256 } from './client-credentials.ts';
import { codeFlowSso } from './code-flow-sso.ts';
import { introspect } from './introspect.ts';
import { passwordSignIn } from './password-sign-in.ts';
import { refresh, refreshOneCaller } from './refresh.ts';
import { revoke } from './revoke.ts';
import type { Scenario } from './scenario.ts';
import { userinfo } from './userinfo.ts';

/** All scenarios of requests. */
export const scenarios: readonly Scenario[] = [
  clientCredentials,
  clientCredentialsRs256,
  refresh,
  refreshOneCaller,
  introspect,
  userinfo,
  revoke,
  codeFlowSso,
  passwordSignIn,
];

/** The `error` codes Tessera answers with, each from the IANA OAuth Extensions Error registry, and the status it is answered with where it is not redirected. */
export const errorStatus = {
  // RFC 6749 sections 4.1.2.1 and 5.2
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
  invalid_scope: 400,
  access_denied: 403,
  server_error: 503,
  temporarily_unavailable: 503,
  // RFC 6750 section 3.1
  invalid_token: 401,
  insufficient_scope: 403,
  // RFC 8707 section 2
  invalid_target: 400,
  // RFC 9449 sections 5 and 8
  invalid_dpop_proof: 400,
  use_dpop_nonce: 400,
  // RFC 7009 section 2.2.1
  unsupported_token_type: 400,
  // RFC 9470 section 3
  insufficient_user_authentication: 401,
  // OpenID Connect Core 1.0 section 3.1.2.6
  interaction_required: 400,
  login_required: 400,
  account_selection_required: 400,
  consent_required: 400,
  request_not_supported: 400,
  request_uri_not_supported: 400,
  registration_not_supported: 400,
  unmet_authentication_requirements: 400,
} as const;

/** An `error` code of the IANA registry. */
export type OAuthError = keyof typeof errorStatus;

/**
 * Why something was refused, for the operator: logs and events carry it, the wire never does. Closed list; each with the sentence the console
 * and `docs/refusals.md` show.
 */
export const refusalReasons = {
  // the request itself
  malformed_request:
    'The request could not be read: its encoding, content type, size or a duplicate parameter is wrong.',
  parameter_missing: 'A required parameter is missing.',
  parameter_invalid: 'A parameter has a value that is not allowed.',
  request_too_large: 'The body, the URL or a header is larger than the server reads.',
  cross_site_request: 'A form came without the anti-forgery token this browser was given.',
  throttled: 'Too many failures from this source or for this account; the answer says how long to wait.',
  overloaded: 'The server is full, or its store is away.',
  // clients
  client_unknown: 'No client has this client_id.',
  client_disabled: 'The client is disabled.',
  client_authentication_missing: 'The client must authenticate and did not.',
  client_authentication_ambiguous: 'The client authenticated in more than one way.',
  client_authentication_method_wrong: 'The client used an authentication method it is not registered for.',
  client_secret_wrong: 'The client secret is wrong.',
  client_assertion_invalid: "The client's signed assertion does not hold.",
  client_assertion_replayed: "The client's signed assertion was used before.",
  grant_type_not_allowed: 'The client is not registered for this grant_type.',
  redirect_uri_unregistered: 'The redirect_uri is not one the client registered.',
  // authorization requests
  response_type_unsupported: 'Only response_type=code is offered.',
  response_mode_unsupported: 'The response_mode is neither query nor form_post.',
  pkce_missing: 'The client must send a code_challenge and did not.',
  pkce_method_refused: 'The code_challenge_method is not S256.',
  scope_unknown: 'A scope is not registered.',
  scope_not_allowed: 'The client, or the user, may not have this scope.',
  resource_unknown: 'No resource server has this audience.',
  resource_not_granted: 'The grant does not reach this resource server.',
  login_required: 'The request forbids asking the user, who is not signed in or not recently enough.',
  consent_required: 'The request forbids asking the user, whose consent is missing.',
  user_mismatch: 'Somebody else is signed in than the request asks for.',
  authentication_level_unmet: 'The requested acr cannot be reached.',
  user_denied: 'The user said no.',
  user_cancelled: 'The user went back without signing in.',
  // users
  credentials_wrong: 'The user is unknown or the password is wrong.',
  user_disabled: 'The user is disabled.',
  // codes
  code_malformed: 'The authorization code was not made by this server.',
  code_expired: 'The authorization code is too old.',
  code_foreign: 'The authorization code was issued to another client.',
  code_redirect_uri_mismatch: 'The redirect_uri differs from the one of the authorization request.',
  code_verifier_wrong: 'The code_verifier does not match the code_challenge.',
  code_raced:
    'The authorization code was redeemed a moment ago by a parallel request of the same client; nothing ends.',
  code_reused: 'The authorization code had been redeemed before: what it issued has ended.',
  // refresh tokens: the verdicts of the refresh table
  refresh_unknown: 'The refresh token was not sealed by this server, or by a key that is refused.',
  refresh_foreign: 'The refresh token belongs to another client, or its binding proof fails.',
  refresh_ahead: 'The refresh token is newer than what the store holds, as after a restore from a backup.',
  refresh_superseded:
    'The refresh token is older than its successor, inside the retry window: a slow tab, not a thief. Nothing ends.',
  refresh_reused: 'A spent refresh token came after its retry window: the grant has ended.',
  // what has ended
  grant_ended: 'The grant has ended.',
  grant_idle: 'The grant lapsed: it was unused for longer than its idle limit.',
  grant_expired: 'The grant reached its absolute limit.',
  session_ended: 'The session has ended.',
  client_cut_off: 'Everything of this client was ended at once (its epoch was raised).',
  issuer_cut_off: 'Everything of this issuer was ended at once (its epoch was raised).',
  // proofs of possession
  dpop_missing: 'A DPoP proof is required and was not sent.',
  dpop_invalid: 'The DPoP proof does not hold.',
  dpop_replayed: 'The DPoP proof was used before.',
  dpop_nonce_required: 'A fresh server nonce is required in the DPoP proof.',
  dpop_key_mismatch: 'The DPoP proof was made with another key than the token is bound to.',
  // access tokens at an API
  token_missing: 'No access token was sent.',
  token_in_query: 'An access token was sent in the URL, where it ends up in logs.',
  token_malformed: 'The token is not a token of this kind.',
  token_type_wrong: 'The token is of another type, for example an ID token.',
  token_algorithm_refused: 'The token is signed with an algorithm that is not allowed here.',
  token_key_unknown: 'No published key has the kid of the token.',
  token_signature_wrong: 'The signature does not verify.',
  token_issuer_wrong: 'The token comes from another issuer.',
  token_audience_wrong: 'The token is for another API.',
  token_expired: 'The token has expired.',
  token_not_yet_valid: 'The token is not valid yet.',
  token_revoked: 'The token was revoked.',
  token_inactive: 'Introspection calls the token inactive.',
  scope_missing: 'The token lacks a scope the call needs.',
  key_revoked: 'The key that signed the token was revoked.',
  revocations_stale: 'What has been revoked is not known recently enough, and the policy is to refuse.',
  introspection_failed: 'The introspection endpoint could not be asked.',
  keys_unavailable: "The issuer's keys could not be fetched.",
  // rights at the server's own endpoints
  not_yours: 'The token was not issued to, or for, whoever asks.',
  permission_missing: 'The caller lacks the permission for this.',
  not_found: 'There is no such thing.',
  conflict: 'Somebody else changed it first.',
} as const;

/** A reason of the closed list. */
export type RefusalReason = keyof typeof refusalReasons;

/**
 * The scope tokens of a `scope` parameter, in their order, each once; undefined when it has a character that a scope token cannot have.
 * Source: RFC 6749 section 3.3.
 */
export function parseScope(text: string): string[] | undefined {
  const tokens = text.split(' ').filter((token) => token !== '');
  return tokens.every(isScopeToken) ? [...new Set(tokens)] : undefined;
}

/** The `scope` parameter of these tokens. */
export function formatScope(scopes: readonly string[]): string {
  return scopes.join(' ');
}

/** True for a string that may stand in a `scope` parameter as one token. Source: RFC 6749 appendix A.4. */
export function isScopeToken(token: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(token);
}

/** The scopes of `required` that `granted` lacks. */
export function missingScopes(required: readonly string[], granted: readonly string[]): string[] {
  return required.filter((scope) => !granted.includes(scope));
}

import { type Language, wordsOf } from './language.ts';

/** A scope as a page is told of it. `description` is the operator's sentence for a scope of a resource server; standard scopes have their own words. */
export type ScopeModel = {
  readonly scope: string;
  readonly description?: string | undefined;
  /** The name of the resource server the scope belongs to. */
  readonly resourceServer?: string | undefined;
};

/** One line of a scope list: `words` for everybody, undefined where nobody described the scope; `scope` is the technical name. */
export type ScopeLine = { readonly scope: string; readonly words: string | undefined };

/** Scopes that belong together, under a heading. */
export type ScopeGroup = { readonly heading: string; readonly lines: readonly ScopeLine[] };

const identityScopes = ['openid', 'profile', 'email', 'address', 'phone'] as const;

/**
 * Says what a scope allows, in words a parent understands; undefined when it is neither a standard scope nor described by the operator. An
 * operator's description of a standard scope is passed over, so that no server can reword what identity scopes give away.
 * Source: OpenID Connect Core 1.0 sections 5.4 and 11.
 */
export function scopeWords(scope: ScopeModel, language: Language): string | undefined {
  const words = wordsOf(language).scopes;
  if (isIdentityScope(scope.scope)) return words[scope.scope];
  if (scope.scope === 'offline_access') return words.offline_access;
  return scope.description?.trim() || undefined;
}

/** Groups scopes for a list: what identity is shared first, then each resource server in the order asked, then what happens when one is away. */
export function groupScopes(scopes: readonly ScopeModel[], language: Language): ScopeGroup[] {
  const words = wordsOf(language).scopes;
  const headings = [
    words.identityGroup,
    ...scopes.filter(isCustom).map((scope) => headingOf(scope, language)),
    words.awayGroup,
  ];
  return [...new Set(headings)]
    .map((heading) => ({ heading, lines: linesUnder(heading, scopes, language) }))
    .filter(({ lines }) => lines.length > 0);
}

function linesUnder(heading: string, scopes: readonly ScopeModel[], language: Language): ScopeLine[] {
  return scopes
    .filter((scope) => headingOf(scope, language) === heading)
    .map((scope) => ({ scope: scope.scope, words: scopeWords(scope, language) }));
}

function headingOf(scope: ScopeModel, language: Language): string {
  const words = wordsOf(language).scopes;
  if (isIdentityScope(scope.scope)) return words.identityGroup;
  if (scope.scope === 'offline_access') return words.awayGroup;
  return scope.resourceServer?.trim() || words.otherGroup;
}

function isIdentityScope(scope: string): scope is (typeof identityScopes)[number] {
  return identityScopes.some((standard) => standard === scope);
}

function isCustom(scope: ScopeModel): boolean {
  return !isIdentityScope(scope.scope) && scope.scope !== 'offline_access';
}

/**
 * True when the redirect URI is one of the registered ones: the same text, except that on a loopback address any port matches, because a native app gets its port from the system when
 * it starts. Source: OAuth 2.1 sections 2.3.1 and 8.4.2, RFC 8252 section 7.3, RFC 9700 section 2.1.
 */
export function isRegisteredRedirectUri(registered: readonly string[], redirectUri: string): boolean {
  return registered.includes(redirectUri) || registered.some((one) => isSameButPort(one, redirectUri));
}

function isSameButPort(registered: string, given: string): boolean {
  const [a, b] = [splitLoopback(registered), splitLoopback(given)];
  // The texts are compared, not what a parser makes of them, so that nothing hides in another spelling.
  return a !== undefined && b !== undefined && a.host === b.host && a.rest === b.rest && URL.canParse(given);
}

/** Only the literal addresses float: "localhost" may be pointed elsewhere (RFC 8252 section 8.3). */
function splitLoopback(text: string): { host: string; rest: string } | undefined {
  const match = /^http:\/\/(127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?([/?].*)?$/.exec(text);
  return match ? { host: match[1] as string, rest: match[2] ?? '' } : undefined;
}

import { isLoopbackHost } from '@tessera/protocol';
import { splitHosts } from '../store/database-hosts.ts';
import { sslModes } from '../store/database-ssl-mode.ts';
import { concealed, given } from './problem.ts';

/**
 * What is wrong with an issuer URL, or undefined. https, or http on loopback; without user, query, fragment and trailing slash; in the one spelling
 * that URL parsers give it, because clients compare issuers character by character. Source: RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3.
 */
export function issuerProblem(text: string): string | undefined {
  const url = parse(text);
  if (!url) return `${given(text)} is not a URL; expected one such as "https://auth.example.com"`;
  if (url.username !== '' || url.password !== '') return `${given(text)} has a user name or password; leave it out`;
  const insecure = transportProblem(text, url);
  if (insecure) return insecure;
  if (text.includes('?')) return `${given(text)} has a query; an issuer has none`;
  if (text.includes('#')) return `${given(text)} has a fragment; an issuer has none`;
  if (text.endsWith('/')) return `${given(text)} ends with a slash; write ${given(text.replace(/\/+$/, ''))}`;
  const canonical = url.href.replace(/\/$/, '');
  return canonical === text ? undefined : `${given(text)} is not in its usual spelling; write ${given(canonical)}`;
}

/**
 * What is wrong with a redirect URI, or undefined: absolute, no fragment, no wildcard; https, http on loopback, or a private-use scheme with a dot.
 * Source: RFC 6749 section 3.1.2, RFC 9700 section 2.1, RFC 8252 sections 7.1 to 7.3.
 */
export function redirectUriProblem(text: string): string | undefined {
  const url = parse(text);
  if (!url) return `${given(text)} is not an absolute URI; expected one such as "https://app.example.com/callback"`;
  if (/[\s\\]/.test(text) || url.href.includes('\\'))
    return `${given(text)} has a space or a backslash; percent-encode it`;
  if (text.includes('#')) return `${given(text)} has a fragment; redirect URIs have none`;
  if (text.includes('*')) return `${given(text)} has a wildcard; register each URI in full`;
  if (url.username !== '' || url.password !== '') return `${given(text)} has a user name or password; leave it out`;
  if (url.protocol === 'https:' || url.protocol === 'http:') return transportProblem(text, url);
  return hasPrivateUseScheme(text)
    ? undefined
    : `${given(text)} has the scheme ${given(url.protocol.slice(0, -1))}; use https, or for a native app a scheme of its own with a dot, such as "com.example.app:/callback"`;
}

/** True for a URI with a private-use scheme: a domain name of the app's maker, reversed, so it has a dot. Source: RFC 8252 section 7.1. */
export function hasPrivateUseScheme(text: string): boolean {
  return /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:/i.test(text);
}

/** What is wrong with an audience, or undefined: an absolute URI without fragment. Source: RFC 8707 section 2. */
export function audienceProblem(text: string): string | undefined {
  if (!parse(text) || /\s/.test(text))
    return `${given(text)} is not an absolute URI; expected one such as "https://api.example.com"`;
  return text.includes('#') ? `${given(text)} has a fragment; an audience has none (RFC 8707)` : undefined;
}

/** What is wrong with the URL of a page people are sent to, or undefined: https, or http on loopback. */
export function pageUrlProblem(text: string): string | undefined {
  const url = parse(text);
  if (!url) return `${given(text)} is not a URL; expected one such as "https://example.com/privacy"`;
  return transportProblem(text, url);
}

/** What is wrong with the URL of an application's logo, or undefined: as for a page, or the image itself as a `data:image/` URL. */
export function logoUrlProblem(text: string): string | undefined {
  if (text.startsWith('data:')) return dataImageProblem(text);
  return pageUrlProblem(text);
}

/** What is wrong with the operator's own logo, or undefined: a path on this server or a `data:image/` URL, because pages fetch nothing from elsewhere. */
export function brandLogoProblem(text: string): string | undefined {
  if (text.startsWith('data:')) return dataImageProblem(text);
  return /^\/(?![/\\])[^\s"'<>\\]*$/.test(text)
    ? undefined
    : `${given(text)} is neither a path on this server, such as "/assets/logo.svg", nor a data:image/ URL; pages fetch nothing from elsewhere`;
}

/** What is wrong with the URL of a database, or undefined. Nothing of it enters the message: it may hold a password. */
export function storeUrlProblem(text: string): string | undefined {
  const expected = 'expected one such as postgres://user:password@host/database';
  if (!/^postgres(?:ql)?:\/\//.test(text))
    return `is ${concealed(text)} but not the URL of a Postgres database; ${expected}`;
  const urls = splitHosts(text).map(parse);
  if (!urls.every(isWhole))
    return `is ${concealed(text)} and no well-formed URL; ${expected}, in which characters such as @, /, ? and # in the password are percent-encoded`;
  const sslMode = urls[0]?.searchParams.get('sslmode') ?? undefined;
  return sslMode === undefined || sslModes.includes(sslMode)
    ? undefined
    : `has an sslmode that is none of ${sslModes.join(', ')}`;
}

/** Whether a URL ends as it should: what stands after an unencoded character of a password would else be taken for the host, and told in messages. */
function isWhole(url: URL | undefined): boolean {
  return url !== undefined && url.hash === '' && !`${url.pathname}${url.search}`.includes('@');
}

function dataImageProblem(text: string): string | undefined {
  return /^data:image\/[^\s"'<>\\]*$/.test(text)
    ? undefined
    : 'is a data: URL but not of an image; expected data:image/…, without spaces, quotes and angle brackets';
}

function transportProblem(text: string, url: URL): string | undefined {
  if (url.protocol === 'https:') return undefined;
  if (url.protocol !== 'http:') return `${given(text)} has the scheme ${given(url.protocol.slice(0, -1))}; use https`;
  return isLoopbackHost(url.hostname) ? undefined : `${given(text)} is http and not on loopback; use https`;
}

function parse(text: string): URL | undefined {
  // The URL parser strips what a comparison of characters would not: surrounding blanks, tabs, line breaks.
  return /^[A-Za-z][A-Za-z0-9+.-]*:[^\s]/.test(text) && !/[\p{Cc}]/u.test(text)
    ? (URL.parse(text) ?? undefined)
    : undefined;
}

import type { Context } from '../context.ts';
import {
  type Brand,
  errorPage,
  errorSituation,
  type PageContext,
  parseBrand,
  pickLanguage,
  stylesheetVersion,
} from '../pages/index.ts';
import type { Input, Output } from './message.ts';
import { readParameters } from './parameters.ts';
import { type Refusal, recordRefusal } from './refusal.ts';

/** What a page's security policy must allow beyond the page itself: that its form ends at an app, and its one script. */
export type PagePolicy = { leadsToApp?: boolean; script?: string };

const brands = new WeakMap<Context['config'], { brand: Brand; version: string; base: string }>();

/** The operator's look, the version of its stylesheet, and the path it is found under. */
export function brandOf(config: Context['config']): { brand: Brand; version: string; base: string } {
  const known = brands.get(config);
  if (known) return known;
  const { logo, ...rest } = config.brand;
  const brand = parseBrand({ ...rest, ...(logo === undefined ? {} : { logoUrl: logo }) });
  const made = { brand, version: stylesheetVersion(brand), base: basePath(config.issuer) };
  brands.set(config, made);
  return made;
}

/** The path the issuer lives under: '' or '/auth'. */
export function basePath(issuer: string): string {
  return new URL(issuer).pathname.replace(/\/$/, '');
}

/** What views need, for this request. The language comes from `ui_locales` (of the page's link or of the authorization request), else from the browser. */
export function pageContext(context: Context, input: Input, uiLocales?: string): PageContext {
  const asked = chosenLocales(input) ?? uiLocales;
  const { brand, version, base } = brandOf(context.config);
  return {
    language: pickLanguage(input.headers['accept-language'], asked),
    brand,
    base,
    stylesheetVersion: version,
    now: context.now(),
    path: input.method === 'GET' ? `${base}${input.path}${input.query === '' ? '' : `?${input.query}`}` : undefined,
  };
}

const longestLocales = 128;

/** The languages that a page's own address names, as the links of its footer do; undefined when it names none. */
export function chosenLocales(input: Input): string | undefined {
  const query = readParameters(input.query);
  return query.ok ? query.parameters.ui_locales?.slice(0, longestLocales) : undefined;
}

/** An address of our own pages, without a query, in the language that was chosen on this one. */
export function inChosenLanguage(url: string, uiLocales: string | undefined): string {
  return uiLocales === undefined ? url : `${url}?${new URLSearchParams({ ui_locales: uiLocales })}`;
}

/**
 * A page, with the headers that keep it from being framed, sniffed, stored or made to run anything. Forms may only end here, but for those whose answer leads to an app: Chromium applies
 * `form-action` to every redirect that follows, those of the app included, which may lead anywhere, and stops the person without a word. Source: RFC 9700 section 4.16, CSP Level 3
 * section 6.4.1, OWASP Content Security Policy Cheat Sheet.
 */
export function pageOutput(status: number, page: string, policy: PagePolicy = {}): Output {
  const formAction = policy.leadsToApp ? '' : " form-action 'self';";
  const script = policy.script === undefined ? '' : ` script-src ${policy.script};`;
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': `default-src 'none'; style-src 'self'; img-src 'self' data:;${script}${formAction} frame-ancestors 'none'; base-uri 'none'`,
      'x-frame-options': 'DENY',
      // With no-referrer browsers would send "Origin: null" with our own forms.
      'referrer-policy': 'same-origin',
    },
    body: page,
  };
}

/** The error page: for refusals that cannot be sent to the app. */
export function refusalPage(
  context: Context,
  input: Input,
  endpoint: string,
  refusal: Refusal,
  clientName?: string,
): Output {
  const refusalId = recordRefusal(context, input, endpoint, refusal);
  const page = errorPage(
    {
      situation: errorSituation(refusal.reason),
      error: refusal.error,
      refusalId,
      detail: refusal.description,
      ...(clientName !== undefined && { client_name: clientName }),
    },
    pageContext(context, input),
  );
  const output = pageOutput(refusal.status ?? 400, page);
  return { ...output, headers: { ...output.headers, ...refusal.headers, 'tessera-refusal-id': refusalId } };
}

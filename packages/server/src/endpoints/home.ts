import type { Context } from '../context.ts';
import type { Input, Output } from '../http/message.ts';
import { brandOf, chosenLocales, inChosenLanguage, pageContext, pageOutput } from '../http/page-output.ts';
import { homePage, stylesheet } from '../pages/index.ts';

/** What the issuer's own address shows to a person. */
export function homeEndpoint(context: Context, input: Input): Output {
  const { issuer } = context.config;
  const page = homePage(
    {
      issuer,
      discoveryUrl: `${issuer}/.well-known/openid-configuration`,
      accountUrl: inChosenLanguage(`${issuer}/account`, chosenLocales(input)),
    },
    pageContext(context, input),
  );
  return pageOutput(200, page);
}

/** The one stylesheet; its address changes with it, so it may be kept for good. */
export function stylesheetEndpoint(context: Context): Output {
  return {
    status: 200,
    headers: { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'public, max-age=31536000, immutable' },
    body: stylesheet(brandOf(context.config).brand),
  };
}

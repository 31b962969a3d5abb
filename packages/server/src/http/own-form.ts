import type { Context } from '../context.ts';
import { type Browser, ensureBrowserId, formToken, isOwnForm, readBrowser } from '../interaction/browser.ts';
import type { FormModel } from '../pages/index.ts';
import type { Input, Output } from './message.ts';
import { type Parameters, readForm } from './parameters.ts';
import { recordRefusal, refuse } from './refusal.ts';

/** A form post from one of our own pages, or not one. */
export type OwnForm = { isOwn: boolean; parameters: Parameters; browser: Browser };

/** Whose a form is: anybody's in this browser, or the account's that its page speaks of. That one's is not good for another who has signed in since, in another tab. */
export type FormOwner = 'browser' | 'account';

/** Reads a form post and judges whether it comes from our own page in this browser; one that does not is written down as refused. */
export async function readOwnForm(
  context: Context,
  input: Input,
  page: string,
  owner: FormOwner = 'account',
): Promise<OwnForm> {
  const form = readForm(input.headers['content-type'], input.body);
  const parameters = form.ok ? form.parameters : {};
  const browser = await readBrowser(context, input);
  const isOwn = form.ok && isOwnForm(context, input, browser, ownerOf(browser, owner), parameters.csrf);
  if (!isOwn)
    recordRefusal(
      context,
      input,
      page,
      refuse('invalid_request', 'cross_site_request', 'the form did not come from our own page'),
    );
  return { isOwn, parameters, browser };
}

/** A form's target and hidden fields, with the browser's token; `cookies` must go with the page. */
export function ownForm(
  context: Context,
  browser: Browser,
  action: string,
  hidden: FormModel['hidden'],
  owner: FormOwner = 'account',
): { form: FormModel; cookies: string[] } {
  const { id, cookies } = ensureBrowserId(context, browser);
  return {
    form: {
      action: `${context.config.issuer}${action}`,
      hidden: [['csrf', formToken(context, id, ownerOf(browser, owner))], ...hidden],
    },
    cookies,
  };
}

function ownerOf({ user }: Browser, owner: FormOwner): string | undefined {
  return owner === 'account' ? user?.userId : undefined;
}

/** The answer with these cookies set. */
export function withCookies(output: Output, cookies: readonly string[]): Output {
  return cookies.length === 0 ? output : { ...output, headers: { ...output.headers, 'set-cookie': [...cookies] } };
}

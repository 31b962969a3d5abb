import type { Seconds } from '@tessera/protocol';
import { accountChooserPage } from './account-chooser-page.ts';
import { type AccountPageModel, accountPage } from './account-page.ts';
import type { AskingClient } from './asking.ts';
import { consentPage } from './consent-page.ts';
import { type ErrorSituation, errorPage } from './error-page.ts';
import type { FormModel } from './form.ts';
import { formPostPage } from './form-post-page.ts';
import { homePage } from './home-page.ts';
import { wordsOf } from './language.ts';
import type { PageContext } from './page-context.ts';
import { signInPage } from './sign-in-page.ts';
import { signOutPage } from './sign-out-page.ts';
import { signedOutPage } from './signed-out-page.ts';

const now: Seconds = 1_795_269_600;

const client: AskingClient = {
  client_name: 'Hearth Recipes',
  redirect_uri: 'https://recipes.hearth.example/callback',
  policy_uri: 'https://hearth.example/privacy',
  tos_uri: 'https://hearth.example/terms',
};

const target: FormModel = {
  action: '/interaction',
  hidden: [
    ['csrf', 'Zk1f0Q'],
    ['request', 'r_7Qd2'],
  ],
};

const scopes = [
  { scope: 'openid' },
  { scope: 'profile' },
  { scope: 'email' },
  { scope: 'recipes:read', description: 'Read your recipes', resourceServer: 'Recipe box' },
  { scope: 'recipes:write', description: 'Add and change recipes', resourceServer: 'Recipe box' },
  { scope: 'stove:preheat', resourceServer: 'Kitchen' },
  { scope: 'offline_access' },
];

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0';
const iPhone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1';

const account: AccountPageModel = {
  ...target,
  account: 'ada@hearth.example',
  status: { kind: 'signed-out', userAgent: 'curl/8.5.0', confirmedApps: 2, pendingApps: 1 },
  sessions: [
    {
      handle: 's_phone',
      userAgent: iPhone,
      origin: '2001:db8:85a3::8a2e:370:7334',
      signedInAt: now - 12 * 86_400,
      lastUsedAt: now - 3 * 3600,
      isCurrent: false,
      apps: [
        {
          client_name: 'Hearth Recipes',
          scopes: ['openid', 'profile', 'email', 'recipes:read', 'offline_access'],
          lastUsedAt: now - 3 * 3600,
          isOffline: true,
        },
      ],
    },
    {
      handle: 's_desk',
      userAgent: firefox,
      origin: '203.0.113.7',
      signedInAt: now - 40,
      lastUsedAt: now,
      isCurrent: true,
      apps: [
        {
          client_name: 'Hearth Recipes',
          scopes: ['openid', 'profile', 'email', 'recipes:read', 'recipes:write'],
          lastUsedAt: now - 300,
          isOffline: false,
        },
        { client_name: 'Pantry', scopes: ['openid', 'stock:read'], lastUsedAt: now - 25, isOffline: false },
      ],
    },
    {
      handle: 's_cli',
      userAgent: 'hearth-cli/2.1.0 (linux)',
      origin: undefined,
      signedInAt: now - 86_400,
      lastUsedAt: now - 7200,
      isCurrent: false,
      apps: [],
    },
  ],
  consents: [
    { client_id: 'recipes', client_name: 'Hearth Recipes', scopes, allowedAt: now - 12 * 86_400 },
    {
      client_id: 'pantry',
      client_name: 'Pantry',
      scopes: [
        { scope: 'openid' },
        { scope: 'stock:read', description: 'See what is in the pantry', resourceServer: 'Pantry' },
      ],
      allowedAt: now - 86_400,
    },
  ],
};

const unfriendly = `Zusammenarbeitsplattformverwaltungsgesellschaft<b>"'&${'x'.repeat(80)}`;

/** A page with a model: what tests and pictures show. `heading` gives the h1 it must have, `asks` the app its title must name. */
export type PageSample = {
  readonly name: string;
  readonly heading: (page: PageContext) => string;
  readonly asks?: string;
  readonly render: (page: PageContext) => string;
};

/** The context the samples are made for, in English; times in them are relative to its `now`. */
export const sampleContext: Omit<PageContext, 'brand' | 'stylesheetVersion'> = {
  language: 'en',
  base: '',
  now,
  path: '/authorize?client_id=recipes&scope=openid',
};

const situations = Object.keys(wordsOf('en').error.situations) as ErrorSituation[];

/** Every page in every state that looks different, and some with input nobody wishes for. */
export const pageSamples: readonly PageSample[] = [
  {
    name: 'sign-in',
    heading: ({ language }) => wordsOf(language).signIn.heading,
    asks: client.client_name,
    render: (page) => signInPage({ ...target, client, rememberLifetime: 30 * 86_400 }, page),
  },
  {
    name: 'sign-in-wrong',
    heading: ({ language }) => wordsOf(language).signIn.heading,
    asks: client.client_name,
    render: (page) =>
      signInPage(
        { ...target, client, username: 'ada', remember: true, problem: { kind: 'wrong-credentials' } },
        { ...page, path: undefined },
      ),
  },
  {
    name: 'sign-in-throttled',
    heading: ({ language }) => wordsOf(language).signIn.heading,
    asks: client.client_name,
    render: (page) =>
      signInPage({ ...target, client, username: 'ada', problem: { kind: 'throttled', retryAfter: 45 } }, page),
  },
  {
    name: 'sign-in-again',
    heading: ({ language }) => wordsOf(language).signIn.heading,
    asks: client.client_name,
    render: (page) => signInPage({ ...target, client, username: 'ada', reauthenticate: { account: 'Ada' } }, page),
  },
  {
    name: 'sign-in-own-page',
    heading: ({ language }) => wordsOf(language).signIn.heading,
    render: (page) => signInPage({ ...target, problem: { kind: 'expired' } }, page),
  },
  {
    name: 'sign-in-signed-out',
    heading: ({ language }) => wordsOf(language).signIn.heading,
    render: (page) => signInPage({ ...target, problem: { kind: 'signed-out' } }, page),
  },
  {
    name: 'sign-in-unfriendly',
    heading: ({ language }) => wordsOf(language).signIn.heading,
    asks: unfriendly,
    render: (page) =>
      signInPage(
        {
          ...target,
          client: { ...client, client_name: unfriendly, redirect_uri: `https://${'a'.repeat(60)}.example/` },
          username: `"><script>alert(1)</script>${'y'.repeat(80)}`,
        },
        page,
      ),
  },
  {
    name: 'consent',
    heading: ({ language }) => wordsOf(language).consent.heading,
    asks: client.client_name,
    render: (page) => consentPage({ ...target, client, account: 'ada@hearth.example', scopes }, page),
  },
  {
    name: 'consent-unfriendly',
    heading: ({ language }) => wordsOf(language).consent.heading,
    asks: unfriendly,
    render: (page) =>
      consentPage(
        {
          ...target,
          client: { client_name: unfriendly, redirect_uri: 'com.example.kitchen:/callback' },
          account: unfriendly,
          scopes: [{ scope: `${'z'.repeat(90)}`, description: unfriendly, resourceServer: unfriendly }],
        },
        page,
      ),
  },
  {
    name: 'account-chooser',
    heading: ({ language }) => wordsOf(language).accountChooser.heading,
    asks: client.client_name,
    render: (page) => accountChooserPage({ ...target, client, account: 'ada@hearth.example' }, page),
  },
  ...situations.map(
    (situation): PageSample => ({
      name: `error-${situation}`,
      heading: ({ language }) => wordsOf(language).error.heading,
      render: (page) =>
        errorPage(
          {
            situation,
            error: 'invalid_request',
            refusalId: 'rf_01JD8X2KQ5T7',
            detail: 'redirect_uri is not one this client registered',
          },
          page,
        ),
    }),
  ),
  {
    name: 'sign-out',
    heading: ({ language }) => wordsOf(language).signOut.heading,
    asks: client.client_name,
    render: (page) =>
      signOutPage(
        { ...target, client, account: 'ada@hearth.example', apps: 3, otherDevices: 2, accountUrl: '/account' },
        page,
      ),
  },
  {
    name: 'sign-out-alone',
    heading: ({ language }) => wordsOf(language).signOut.heading,
    render: (page) =>
      signOutPage({ ...target, account: 'Ada', apps: 0, otherDevices: 0, accountUrl: '/account' }, page),
  },
  {
    name: 'signed-out',
    heading: ({ language }) => wordsOf(language).signedOut.heading,
    asks: client.client_name,
    render: (page) =>
      signedOutPage(
        {
          apps: 3,
          back: { client_name: client.client_name, uri: 'https://recipes.hearth.example/bye' },
          signInUrl: '/account',
        },
        page,
      ),
  },
  {
    name: 'signed-out-everywhere',
    heading: ({ language }) => wordsOf(language).signedOut.heading,
    render: (page) => signedOutPage({ apps: 5, devices: 4, pendingApps: 1, signInUrl: '/account' }, page),
  },
  {
    name: 'account',
    heading: ({ language }) => wordsOf(language).account.heading,
    render: (page) => accountPage(account, page),
  },
  {
    name: 'account-alone',
    heading: ({ language }) => wordsOf(language).account.heading,
    render: (page) =>
      accountPage({ ...account, status: undefined, sessions: account.sessions.slice(1, 2), consents: [] }, page),
  },
  {
    name: 'form-post',
    heading: ({ language }) => wordsOf(language).formPost.heading,
    asks: client.client_name,
    render: (page) =>
      formPostPage(
        {
          client_name: client.client_name,
          action: '/landed',
          hidden: [
            ['code', 'c"<&>\''],
            ['state', 's 1'],
          ],
        },
        page,
      ),
  },
  {
    name: 'home',
    heading: ({ brand }) => brand.name,
    render: (page) =>
      homePage(
        {
          issuer: 'https://id.hearth.example',
          discoveryUrl: '/.well-known/openid-configuration',
          accountUrl: '/account',
        },
        page,
      ),
  },
];

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { refusalReasons } from '@tessera/protocol';
import { accountPage } from './account-page.ts';
import { defaultBrand } from './brand.ts';
import { consentPage } from './consent-page.ts';
import { errorPage, errorSituation } from './error-page.ts';
import { formPostPage, formPostScriptHash } from './form-post-page.ts';
import { supportedLanguages } from './language.ts';
import { html } from './markup.ts';
import type { PageContext } from './page-context.ts';
import { pageSamples, sampleContext } from './page-samples.ts';
import { type SignInPageModel, signInPage } from './sign-in-page.ts';
import { signOutPage } from './sign-out-page.ts';
import { signedOutPage } from './signed-out-page.ts';

const page: PageContext = { ...sampleContext, brand: defaultBrand, stylesheetVersion: 'v1' };
const form = { action: '/interaction', hidden: [['csrf', `"><script>'&`]] as const };
const client = { client_name: '<script>alert("x")</script>', redirect_uri: 'https://app.example/cb' };

/** What stands between the tags named, with its markup. */
function elements(text: string, tag: string): string[] {
  return [...text.matchAll(new RegExp(`<${tag}(?:\\s[^>]*)?>([\\s\\S]*?)</${tag}>`, 'g'))].map(([, inner]) => inner!);
}

function escaped(text: string): string {
  return html`${text}`.toString();
}

for (const sample of pageSamples) {
  for (const language of supportedLanguages) {
    test(`${sample.name} (${language}) has its heading, one main, and a title that names the app`, () => {
      const context = { ...page, language };
      const text = sample.render(context);
      assert.deepEqual(elements(text, 'h1'), [escaped(sample.heading(context))]);
      assert.equal(elements(text, 'main').length, 1);
      assert.match(text, new RegExp(`^<!doctype html>\\n<html lang="${language}" dir="ltr">`));
      const [title = ''] = elements(text, 'title');
      assert.ok(title.endsWith(defaultBrand.name), title);
      if (sample.asks !== undefined) assert.ok(title.includes(escaped(sample.asks)), title);
    });

    test(`${sample.name} (${language}) fits a policy without inline style or script, and leaks no "undefined"`, () => {
      const text = sample.render({ ...page, language });
      assert.doesNotMatch(text, /\sstyle=|<style|\son[a-z]+=|javascript:/);
      assert.equal(elements(text, 'script').length, sample.name === 'form-post' ? 1 : 0);
      assert.doesNotMatch(text, /undefined|\[object|\{[a-z]+\}|NaN/);
    });

    test(`${sample.name} (${language}) posts its forms and leaves no id twice`, () => {
      const text = sample.render({ ...page, language });
      for (const [tag] of text.matchAll(/<form[^>]*>/g)) assert.match(tag, /^<form method="post" action="\/[a-z]+">$/);
      const ids = [...text.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
      assert.deepEqual(ids, [...new Set(ids)]);
    });
  }
}

test('the English headings are the ones people and manuals find pages by', () => {
  const headings = new Set(pageSamples.map((sample) => sample.heading(page)));
  assert.deepEqual(
    [...headings],
    [
      'Sign in',
      'Allow access?',
      'Choose an account',
      "This can't continue",
      'Sign out?',
      "You're signed out",
      'Where you are signed in',
      'One moment',
      'Tessera',
    ],
  );
});

test('a name or a hidden value from outside never becomes markup', () => {
  const text = signInPage({ ...form, client, username: '"><img src=x onerror=alert(1)>' }, page);
  assert.doesNotMatch(text, /<script|<img/);
  assert.ok(text.includes('<bdi class="name">&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;</bdi>'));
  assert.ok(text.includes('<input type="hidden" name="csrf" value="&quot;&gt;&lt;script&gt;&#39;&amp;">'));
  assert.ok(text.includes('value="&quot;&gt;&lt;img src=x onerror=alert(1)&gt;"'));
});

test('a policy address that would run script is not shown', () => {
  const text = signInPage({ ...form, client: { ...client, policy_uri: 'javascript:alert(1)' } }, page);
  assert.doesNotMatch(text, /javascript:|Privacy policy/);
});

test('sign-in has the fields that password managers know, and A15: a choice to stay signed in', () => {
  const text = signInPage({ ...form, client, rememberLifetime: 30 * 86_400 }, page);
  assert.match(text, /name="username"[^>]* autocomplete="username"/);
  assert.match(text, /type="password" autocomplete="current-password"/);
  assert.match(text, /name="remember" type="checkbox"/);
  assert.match(text, /Keep me signed in[\s\S]*For 30 days on this device/);
  assert.match(text, /name="decision" value="cancel" formnovalidate/);
  assert.ok(text.indexOf('>Sign in</button>') < text.indexOf('value="cancel"'), 'Enter signs in, it does not cancel');
});

test('sign-in says where one will land', () => {
  const landing = (redirect_uri: string) => signInPage({ ...form, client: { ...client, redirect_uri } }, page);
  assert.match(landing('https://app.example/cb'), /land on <span class="mono">app\.example</);
  assert.match(landing('http://127.0.0.1:5000/cb'), /land in a program on this computer/);
  assert.match(landing('com.example.app:/cb'), /land in the app <span class="mono">com\.example\.app</);
});

test('sign-in says why it is shown again, and the same whether or not the user exists', () => {
  const alert = (problem: SignInPageModel['problem']) =>
    /role="alert"[^>]*>([^<]*)</.exec(signInPage({ ...form, client, problem }, page))?.[1];
  assert.equal(alert(undefined), undefined);
  assert.equal(alert({ kind: 'wrong-credentials' }), escaped("That username and password don't match."));
  assert.equal(alert({ kind: 'throttled', retryAfter: 45 }), 'Too many tries. Try again in 45 seconds.');
  assert.equal(alert({ kind: 'throttled', retryAfter: 0 }), 'Too many tries. Try again in 1 second.');
  assert.equal(alert({ kind: 'expired' }), 'This page was open too long. Please try again.');
  assert.equal(
    alert({ kind: 'signed-out' }),
    'You were signed out in the meantime, so nothing was done. Sign in to try again.',
  );
});

test('sign-in says for whom it is asked again', () => {
  const text = signInPage({ ...form, client, username: 'ada', reauthenticate: { account: 'Ada' } }, page);
  assert.match(text, /You are signed in as <bdi class="name">Ada<\/bdi>/);
  assert.match(text, /name="username"[^>]* value="ada"/);
});

test('C7: consent shows every scope asked for, in words and by its technical name', () => {
  const scopes = [
    { scope: 'openid' },
    { scope: 'orders:read', description: 'Read <orders>', resourceServer: 'Shop' },
    { scope: 'offline_access' },
  ];
  const text = consentPage({ ...form, client, account: 'Ada', scopes }, page);
  for (const { scope } of scopes) assert.ok(text.includes(`mono">${scope}</span>`), scope);
  assert.ok(text.includes('<bdi>Read &lt;orders&gt;</bdi>'));
  assert.ok(text.includes('Keep access when you are away'));
  assert.deepEqual(
    [...text.matchAll(/name="decision" value="([a-z-]+)"/g)].map(([, value]) => value),
    ['allow', 'deny', 'switch'],
  );
});

test('sign-out says what it ends', () => {
  const model = { ...form, account: 'Ada', apps: 3, otherDevices: 1, accountUrl: '/account' };
  const text = signOutPage(model, page);
  assert.match(text, /value="sign-out">Sign out of 3 apps on this device</);
  assert.match(text, /value="stay"/);
  assert.match(text, /on 1 other device, which stays signed in[\s\S]*href="\/account"/);
  assert.match(signOutPage({ ...model, apps: 0, otherDevices: 0 }, page), /value="sign-out">Sign out on this device</);
});

test('signed-out links back only to an address it was given, and never to one that runs script', () => {
  const text = (uri: string | undefined) =>
    signedOutPage(
      { apps: 1, back: uri === undefined ? undefined : { client_name: 'A', uri }, signInUrl: '/account' },
      page,
    );
  assert.match(text('https://app.example/bye'), /href="https:\/\/app\.example\/bye"/);
  assert.doesNotMatch(text('javascript:alert(1)'), /Back to|javascript/);
  assert.doesNotMatch(text(undefined), /Back to/);
});

test('the error page shows what support needs and no address of the app', () => {
  const model = { situation: 'unregistered-address', error: 'invalid_request', refusalId: 'rf_1' } as const;
  const text = errorPage({ ...model, detail: 'see https://evil.example/<b>' }, { ...page, path: undefined });
  assert.match(text, /<code class="select">rf_1<\/code>/);
  assert.match(text, /<code class="select">invalid_request<\/code>/);
  assert.doesNotMatch(text, /<a\s|<form|<b>/);
});

test('every reason a refusal may have leads to a page that says what to do next', () => {
  for (const reason of Object.keys(refusalReasons) as (keyof typeof refusalReasons)[]) {
    errorPage({ situation: errorSituation(reason), error: 'invalid_request', refusalId: 'rf_1' }, page);
  }
  assert.equal(errorSituation('redirect_uri_unregistered'), 'unregistered-address');
  assert.equal(errorSituation('cross_site_request'), 'page-expired');
  assert.equal(errorSituation('pkce_missing'), 'app-mistake');
});

const session = { userAgent: 'curl/8', origin: '203.0.113.7', signedInAt: 0, lastUsedAt: 0, apps: [] };

test('A9: the account page ends each session by its handle, and all by one button that counts them', () => {
  const sessions = ['a', 'b', 'c"'].map((handle, index) => ({ ...session, handle, isCurrent: index === 1 }));
  const text = accountPage({ ...form, account: 'Ada', sessions, consents: [] }, page);
  const handles = [...text.matchAll(/name="session" value="([^"]*)"/g)].map(([, handle]) => handle);
  assert.deepEqual(handles, ['b', 'a', 'c&quot;'], 'this device comes first');
  assert.match(text, /value="sign-out-everywhere">Sign out of 3 devices</);
  assert.equal(text.match(/This device/g)?.length, 1);
  assert.equal(text.match(/name="csrf"/g)?.length, 4, 'B17: every form carries the anti-forgery field');
});

test('the account page withdraws what was allowed, by client_id', () => {
  const consents = [{ client_id: 'shop', client_name: 'Shop', scopes: [{ scope: 'openid' }], allowedAt: 0 }];
  const text = accountPage({ ...form, account: 'Ada', sessions: [], consents }, page);
  assert.match(text, /name="client" value="shop"[\s\S]*name="decision" value="withdraw"/);
});

test('the account page tells the result of its forms in a status line', () => {
  const status = (model: Parameters<typeof accountPage>[0]['status']) => {
    const text = accountPage({ ...form, account: 'Ada', sessions: [], consents: [], status: model }, page);
    return /role="status">(?:<p[^>]*>([\s\S]*?)<\/p>)?<\/div>/.exec(text)?.[1]?.replace(/<[^>]*>/g, '');
  };
  assert.equal(status(undefined), undefined);
  assert.equal(
    status({ kind: 'signed-out', userAgent: 'curl/8', confirmedApps: 2, pendingApps: 1 }),
    'Signed out of curl. 2 apps confirmed. 1 app didn&#39;t answer yet.',
  );
  assert.equal(status({ kind: 'withdrawn', client_name: '<i>' }), '&lt;i&gt; has no more access to your account.');
});

test('the script of the form_post page is the one its hash names', () => {
  const text = formPostPage({ client_name: 'A', action: 'https://app.example/cb', hidden: [['code', 'c']] }, page);
  const [script = ''] = elements(text, 'script');
  assert.equal(formPostScriptHash, `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
});

test('the form_post page carries exactly the parameters given, and a button for browsers without script', () => {
  const hidden = [
    ['code', 'a"b'],
    ['submit', 'hides the method'],
  ] as const;
  const text = formPostPage({ client_name: 'A', action: 'https://app.example/cb?x=1&y=2', hidden }, page);
  assert.match(text, /<form method="post" action="https:\/\/app\.example\/cb\?x=1&amp;y=2">/);
  const names = [...text.matchAll(/<(?:input|button)[^>]* name="([^"]*)"/g)].map(([, name]) => name);
  assert.deepEqual(names, ['code', 'submit']);
  assert.match(text, /<button class="button primary" type="submit">Continue</);
});

test('the other language is one link away, at the same place', () => {
  const text = signInPage({ ...form, client }, { ...page, path: '/authorize?state=a%20b&ui_locales=en#x' });
  assert.match(text, /href="\/authorize\?state=a\+b&amp;ui_locales=de" lang="de" hreflang="de"/);
});

test('a language link never leaves this server', () => {
  for (const path of ['//evil.example/', '/\\evil.example', 'https://evil.example/', 'x', '']) {
    assert.throws(() => signInPage({ ...form, client }, { ...page, path }), /path on this server/, path);
  }
});

test('the base path stands before what the pages load', () => {
  const text = signInPage({ ...form, client }, { ...page, base: '/auth', stylesheetVersion: 'abc' });
  assert.match(text, /href="\/auth\/assets\/tessera\.css\?v=abc"/);
});

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { chromiumPath, launchChromium } from '../../tests/chromium.ts';
import { runExperiment, signIn, waitForGeneration } from './testing/demo-in-browser.ts';
import { type LaunchedDemo, launchDemo } from './testing/launch-demo.ts';

if (chromiumPath === undefined)
  console.error(
    'SKIPPED: the demo was not looked at in a browser. Set CHROMIUM_PATH to a Chromium to run demo.browser.test.ts.',
  );

const rules = ['wcag2a', 'wcag2aa', 'wcag2aaa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

describe('the demo in a browser', { skip: chromiumPath === undefined && 'no Chromium' }, () => {
  let demo: LaunchedDemo;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let wrong: string[];
  /** Answers with an error status, as "status path". */
  let refused: string[];

  before(async () => {
    [demo, browser] = await Promise.all([launchDemo(), launchChromium()]);
  });
  after(async () => {
    await browser?.close();
    await demo?.close();
  });
  beforeEach(async () => {
    wrong = [];
    refused = [];
    context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    context.on('page', (opened) => {
      opened.on('pageerror', (error) => wrong.push(error.message));
      // The browser itself writes down each answer with an error status; those are looked at one by one.
      opened.on('console', (message) => {
        if (['error', 'warning'].includes(message.type()) && !/Failed to load resource/.test(message.text()))
          wrong.push(message.text());
      });
      opened.on('response', (response) => {
        if (response.status() >= 400) refused.push(`${response.status()} ${new URL(response.url()).pathname}`);
      });
      opened.on('request', (request) => {
        const { hostname, protocol } = new URL(request.url());
        if (hostname !== 'localhost' && protocol !== 'data:') wrong.push(`asked ${request.url()}`);
      });
    });
    page = await context.newPage();
    await page.goto(demo.settings.app);
  });
  afterEach(async () => {
    await context.close();
    assert.deepEqual(wrong, []);
  });

  test('A1 A18 ada signs in, reads and writes; the API answers with the subject of the token', async () => {
    await signIn(page, 'ada');
    await page.click('#read-orders');
    await page.waitForSelector('#answer:has-text("GET /orders → 200")');
    assert.match(await page.innerText('#answer'), /called the server 0 times/);
    await page.click('#place-order');
    await page.waitForSelector('#answer:has-text("POST /orders → 201")');
    await page.click('#read-orders');
    await page.waitForSelector('#answer:has-text("for you")');
    assert.match(await claim(page, 'permissions'), /orders:write/);
    assert.deepEqual(refused, []);
  });

  test('A21 bob may read; writing is refused with the scope it needs', async () => {
    await signIn(page, 'bob');
    await page.click('#read-orders');
    await page.waitForSelector('#answer:has-text("GET /orders → 200")');
    await page.click('#place-order');
    await page.waitForSelector('#answer:has-text("403 insufficient_scope")');
    assert.match(await page.innerText('#answer'), /needs the scope orders:write/);
    assert.deepEqual(refused, ['403 /orders']);
  });

  test('the refresh token never stands in the page', async () => {
    await signIn(page, 'ada');
    const stored = await page.evaluate(() => Object.values(sessionStorage).join());
    const refreshToken = /tsr_[\w-]+/.exec(stored)?.[0];
    assert.ok(refreshToken, 'the app has a refresh token');
    assert.ok(!(await page.content()).includes(refreshToken));
    assert.doesNotMatch(await page.content(), /tsr_/);
  });

  test('a reload keeps the sign-in', async () => {
    await signIn(page, 'ada');
    await page.reload();
    await page.waitForSelector('#signed-in:not([hidden])');
    await page.click('#read-orders');
    await page.waitForSelector('#answer:has-text("200")');
  });

  test('B12 a token that ran out while nobody looked is replaced at the next call, by one request, without a word', async () => {
    await signIn(page, 'ada');
    await page.evaluate(() => {
      for (const [key, text] of Object.entries(sessionStorage))
        if (key.endsWith(':tokens')) sessionStorage.setItem(key, JSON.stringify({ ...JSON.parse(text), expiresAt: 1 }));
    });
    await page.waitForSelector('#countdown:text-is("Expired")');
    const asked: string[] = [];
    page.on('request', (request) => request.method() === 'POST' && asked.push(new URL(request.url()).pathname));
    await page.click('#read-orders');
    await page.waitForSelector('#answer:has-text("the client got a new one first")');
    await waitForGeneration(page, 2);
    assert.deepEqual(asked, ['/token']);
    assert.deepEqual(refused, []);
  });

  test('D1 B13 fifty copies of the tab refresh at once: one step, one successor, nobody signed out', async () => {
    await signIn(page, 'ada');
    await waitForGeneration(page, 1);
    const { headline, text } = await runExperiment(page, 'refresh-fifty');
    assert.equal(headline, '1 step');
    assert.match(text, /generation 1 → 2, after 50 of 50 got an answer/);
    assert.match(text, /one and the same new refresh token/);
    assert.match(text, /49 were recognised/);
    await waitForGeneration(page, 2);
    await page.click('#read-orders');
    await page.waitForSelector('#answer:has-text("200")');
    assert.deepEqual(refused, []);
  });

  test('D1 a lost answer is asked for again and costs nobody the sign-in', async () => {
    await signIn(page, 'ada');
    const { headline, text } = await runExperiment(page, 'lose-answer');
    assert.equal(headline, 'Still in');
    assert.match(text, /generation 1 → 2/);
    await waitForGeneration(page, 2);
    await page.click('#read-orders');
    await page.waitForSelector('#answer:has-text("200")');
    assert.deepEqual(refused, []);
  });

  test('A14 D7 a stolen token is refused, ends its own grant alone, and the session tells of it', async () => {
    await signIn(page, 'ada');
    const { headline, text } = await runExperiment(page, 'stolen-token');
    assert.ok(Number.parseInt(headline, 10) < 1000, headline);
    assert.match(text, /Your own token: refused.*your next call got 200/s);
    assert.match(text, /The old app's token: refused.*0 calls to the server/s);
    assert.match(text, /Nothing else ended.*its next call got 200/s);
    await page.waitForSelector('#session:has-text("A stolen token of Old app without a key came")');
    const story = await page.innerText('#session');
    assert.match(story, /no proof of the key came. Nothing ended. From Unknown laptop/);
    assert.match(story, /from Unknown laptop, 127.0.0.1; its owner was last seen from Chrome on Linux/);
    // Nothing but the API's refusal of the old app's token: the two of the thief went to another machine.
    assert.deepEqual(refused, ['401 /orders']);
  });

  test('A13 D2 a session ended elsewhere is refused by the API within a second, without a call to the server', async () => {
    await signIn(page, 'ada');
    const { headline, text } = await runExperiment(page, 'end-elsewhere');
    assert.ok(Number.parseInt(headline, 10) < 1000, headline);
    assert.match(text, /until the API answered 401 invalid_token/);
    assert.match(text, /would have lived 1 min \d+ s more/);
    assert.match(text, /called the server 0 times/);
    await page.waitForSelector('#signed-out:not([hidden])');
    await page.waitForSelector('#countdown:text-is("Refused")');
    await page.waitForSelector('#session:has-text("the operator ended it")');
    assert.deepEqual(refused, ['401 /orders', '400 /token']);
    // And nothing is left: the next sign-in asks for the password.
    await signIn(page, 'ada');
  });

  test('C23 A17 Notes asks for no password, shows the same subject, and signing out there ends both', async () => {
    await signIn(page, 'ada');
    const subject = await claim(page, 'sub');
    const notes = await context.newPage();
    await notes.goto(demo.settings.notes);
    await notes.click('button:text-is("Continue with Tessera")');
    await notes.waitForSelector('h1:has-text("Good to see you, Ada Lovelace")');
    assert.equal(new URL(notes.url()).origin, demo.settings.notes);
    assert.equal(await notes.innerText('#subject'), subject);
    const cookies = (await context.cookies(demo.settings.notes)).filter(({ name }) => name.startsWith('notes_'));
    assert.ok(cookies.length > 0 && cookies.every(({ httpOnly, sameSite }) => httpOnly && sameSite === 'Lax'));
    await page.bringToFront();
    await page.waitForSelector('#session li:has-text("Notes")');

    await notes.bringToFront();
    await notes.click('button:text-is("Sign out of all apps here")');
    await notes.waitForSelector('button:text-is("Continue with Tessera")');
    await page.bringToFront();
    await page.waitForSelector('#notice:has-text("You\'re signed out: an app signed you out.")');
  });

  test('signing out of the demo app ends Notes too, and comes back', async () => {
    await signIn(page, 'ada');
    const notes = await context.newPage();
    await notes.goto(demo.settings.notes);
    await notes.click('button:text-is("Continue with Tessera")');
    await notes.waitForSelector('h1:has-text("Good to see you")');
    await page.bringToFront();
    await page.click('#sign-out');
    await page.waitForSelector('#notice:has-text("You\'re signed out, here and in Notes.")');
    assert.equal(page.url(), `${demo.settings.app}/`);
    await notes.reload();
    await notes.waitForSelector('[role=status]:has-text("Your session ended elsewhere")');
    assert.deepEqual(refused, []);
  });

  test('A9 B14 sign out everywhere ends all devices and the API refuses within a second', async () => {
    await signIn(page, 'ada');
    const elsewhere = await browser.newContext();
    try {
      const other = await elsewhere.newPage();
      await other.goto(demo.settings.app);
      await signIn(other, 'ada');
      await page.waitForSelector('#sign-out-everywhere:has-text(": ")');
      const { headline, text } = await runExperiment(page, 'sign-out-everywhere');
      assert.ok(Number.parseInt(headline, 10) < 1000, headline);
      assert.match(text, /You're signed out everywhere: \d+ sessions ended/);
      assert.match(text, /called the server 0 times/);
      await page.waitForSelector('#signed-out:not([hidden])');
      assert.deepEqual(await page.evaluate(() => Object.keys(sessionStorage)), []);
      await other.waitForSelector('#notice:has-text("signed out")');
    } finally {
      await elsewhere.close();
    }
  });

  test('who asks the backend without a token, or as another host, gets nothing', async () => {
    const { app, notes } = demo.settings;
    for (const path of ['watch', 'end-session', 'sign-out-everywhere', 'thief'])
      assert.equal((await fetch(`${app}/backend/${path}`, { method: 'POST' })).status, 401, path);
    assert.deepEqual(await (await fetch(`${app}/backend/session`)).json(), { isWatched: false });
    const forged = { method: 'POST', headers: { origin: 'https://evil.example' } };
    assert.equal((await fetch(`${notes}/sign-out`, forged)).status, 403);
    const byName = app.replace('localhost', '127.0.0.1');
    assert.equal((await fetch(byName)).status, 421);
  });

  for (const width of [1440, 320])
    test(`axe finds nothing and nothing is cut off: ${width} px, both themes`, async () => {
      await page.setViewportSize({ width, height: 800 });
      await look(page, 'signed out');
      await signIn(page, 'ada');
      await runExperiment(page, 'refresh-fifty');
      await page.click('details.code summary');
      await look(page, 'signed in');
      await runExperiment(page, 'end-elsewhere');
      await page.waitForSelector('#countdown:text-is("Refused")');
      await look(page, 'ended');
      await page.goto(demo.settings.notes);
      await look(page, 'Notes');
    });
});

/** Looks with axe: at everything in the light theme, and at the contrast in the dark one, which is all that differs. */
async function look(page: Page, what: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const axe = new AxeBuilder({ page });
    const asked =
      colorScheme === 'light' ? axe.withTags(rules) : axe.withRules(['color-contrast', 'color-contrast-enhanced']);
    const { violations } = await asked.analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
    assert.deepEqual(found, [], `${what}, ${colorScheme}`);
  }
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(beyond <= 0, `${what}: the page scrolls sideways by ${beyond} px`);
}

async function claim(page: Page, name: string): Promise<string> {
  return page.innerText(`.claims div:has(> dt:text-is("${name}")) .value`);
}

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { chromiumPath, launchChromium } from '../../../../tests/chromium.ts';
import { defaultBrand } from './brand.ts';
import { formPostScriptHash } from './form-post-page.ts';
import { type Language, supportedLanguages } from './language.ts';
import { pageSamples, sampleContext } from './page-samples.ts';
import { stylesheet, stylesheetVersion } from './stylesheet.ts';

if (chromiumPath === undefined) {
  console.error(
    'SKIPPED: no page was looked at in a browser. Set CHROMIUM_PATH to a Chromium to run pages.browser.test.ts.',
  );
}

const policy = `default-src 'none'; style-src 'self'; img-src 'self' data:; script-src ${formPostScriptHash}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
const widths = [320, 1280] as const;
// All errors look alike; the longest and the shortest stand for them.
const looked = pageSamples.filter(({ name }) => !/^error-(?!unregistered-address$|not-found$)/.test(name));
const rules = ['wcag2a', 'wcag2aa', 'wcag2aaa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

describe('the pages in a browser', { skip: chromiumPath === undefined && 'no Chromium' }, () => {
  let server: Server;
  let browser: Browser;
  let origin: string;
  const posted: string[] = [];

  before(async () => {
    server = createServer((request, response) => void answer(request, response, posted)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    server?.close();
  });

  async function open(
    language: Language,
    name: string,
    options: Parameters<Browser['newContext']>[0],
  ): Promise<[Page, BrowserContext]> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    await page.goto(`${origin}/${language}/${name}`);
    return [page, context];
  }

  describe('looked at', () => {
    for (const width of widths) {
      for (const language of supportedLanguages) {
        test(`axe finds nothing and nothing is cut off: ${language}, ${width} px, both themes`, async () => {
          const context = await browser.newContext({ viewport: { width, height: 720 } });
          const page = await context.newPage();
          for (const { name } of looked) {
            await page.emulateMedia({ colorScheme: 'light' });
            await page.goto(`${origin}/${language}/${name}/still`);
            assert.deepEqual(await violations(new AxeBuilder({ page }).withTags(rules)), [], `${name}, light`);
            await page.emulateMedia({ colorScheme: 'dark' });
            assert.deepEqual(await contrastViolations(page), [], `${name}, dark`);
            assert.deepEqual(await cutOff(page), [], name);
            await lengthen(page);
            assert.deepEqual(await cutOff(page), [], `${name} in a language that runs 40 % longer`);
          }
          await context.close();
        });
      }
    }
  });

  test('the stylesheet applies under the strict policy, and nothing is refused by it', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    for (const { name } of pageSamples.filter((sample) => sample.name !== 'form-post')) {
      await page.goto(`${origin}/en/${name}`);
      assert.equal(await page.evaluate(() => getComputedStyle(document.body).color), 'rgb(20, 22, 26)', name);
    }
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test('sign-in works without script and by keyboard alone', async () => {
    const [page, context] = await open('en', 'sign-in', { javaScriptEnabled: false });
    await page.locator('#username:focus').waitFor();
    await page.keyboard.type('ada');
    await page.keyboard.press('Tab');
    await page.keyboard.type('correct horse');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/interaction');
    assert.equal(posted.pop(), 'csrf=Zk1f0Q&request=r_7Qd2&username=ada&password=correct+horse&remember=on');
    await context.close();
  });

  test('cancelling sign-in asks for no password', async () => {
    const [page, context] = await open('en', 'sign-in', { javaScriptEnabled: false });
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.waitForURL('**/interaction');
    assert.match(posted.pop() ?? '', /&decision=cancel$/);
    await context.close();
  });

  const buttons = [
    ['consent', 'Allow', /decision=allow$/],
    ['consent', 'Deny', /decision=deny$/],
    ['consent', 'Not you? Use another account', /decision=switch$/],
    ['account-chooser', 'Continue as ada@hearth.example', /decision=continue$/],
    ['sign-out', 'Sign out of 3 apps on this device', /decision=sign-out$/],
    ['sign-out', 'Stay signed in', /decision=stay$/],
    ['account', 'Sign out of Safari on iPhone', /session=s_phone&decision=sign-out$/],
    ['account', 'Sign out of 3 devices', /decision=sign-out-everywhere$/],
    ['account', 'Take access back from Pantry', /client=pantry&decision=withdraw$/],
  ] as const;
  for (const [name, button, sent] of buttons) {
    test(`without script, "${button}" on ${name} sends its decision and the anti-forgery field`, async () => {
      const [page, context] = await open('en', name, { javaScriptEnabled: false });
      await page.getByRole('button', { name: button, exact: true }).click();
      await page.waitForURL('**/interaction');
      const body = posted.pop() ?? '';
      assert.match(body, sent);
      assert.match(body, /^csrf=Zk1f0Q&/, 'B17');
      await context.close();
    });
  }

  test('form_post goes to the app by itself, under a policy that names its script', async () => {
    const [page, context] = await open('en', 'form-post', {});
    await page.waitForURL('**/landed');
    assert.equal(posted.pop(), 'code=c%22%3C%26%3E%27&state=s+1');
    await context.close();
  });

  test('form_post goes to the app by its button where no script runs', async () => {
    const [page, context] = await open('en', 'form-post', { javaScriptEnabled: false });
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL('**/landed');
    assert.equal(posted.pop(), 'code=c%22%3C%26%3E%27&state=s+1');
    await context.close();
  });
});

async function answer(request: IncomingMessage, response: ServerResponse, posted: string[]): Promise<void> {
  const [, language = '', name = '', still] = (request.url ?? '').split('/');
  if (request.method === 'POST') {
    posted.push(Buffer.concat(await request.toArray()).toString());
    response.setHeader('content-type', 'text/plain').end('thanks');
    return;
  }
  if (request.url?.startsWith('/assets/tessera.css')) {
    response.setHeader('content-type', 'text/css').end(stylesheet(defaultBrand));
    return;
  }
  const sample = pageSamples.find((one) => one.name === name);
  const context = { ...sampleContext, brand: defaultBrand, stylesheetVersion: stylesheetVersion(defaultBrand) };
  response
    .setHeader('content-type', 'text/html; charset=utf-8')
    .setHeader('content-security-policy', still ? policy.replace(formPostScriptHash, "'none'") : policy);
  response.end(sample?.render({ ...context, language: language as Language }) ?? '');
}

async function violations(axe: AxeBuilder): Promise<[rule: string, nodes: string[]][]> {
  // One frame only: the other mode opens a page more for every look.
  const found = await axe.setLegacyMode(true).analyze();
  return found.violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]);
}

type InjectedAxe = { run(options: { runOnly: string[] }): Promise<{ violations: { nodes: { html: string }[] }[] }> };

/** A theme changes colours and nothing else. Uses the axe that `violations` has put into the page. */
function contrastViolations(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: InjectedAxe };
    const found = await axe.run({ runOnly: ['color-contrast', 'color-contrast-enhanced'] });
    return found.violations.flatMap(({ nodes }) => nodes.map((node) => node.html));
  });
}

/** What reaches beyond the window's edge, or is hidden inside an element that is too small for it. */
function cutOff(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const wide = document.documentElement.scrollWidth > window.innerWidth ? ['the page scrolls sideways'] : [];
    const beyond = [...document.querySelectorAll('body *:not(.hidden, .hidden *)')].filter((element) => {
      const box = element.getBoundingClientRect();
      return (
        box.right > window.innerWidth + 1 ||
        box.left < -1 ||
        (element.tagName !== 'INPUT' && element.scrollWidth > element.clientWidth + 2 && element.clientWidth > 1)
      );
    });
    return wide.concat(beyond.map((element) => element.outerHTML.slice(0, 160)));
  });
}

/** Makes every word 40 % longer. */
function lengthen(page: Page): Promise<void> {
  return page.evaluate(() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const node = texts.currentNode as Text;
      node.data = node.data.replace(/\p{L}{2,}/gu, (word) => word + word.slice(0, Math.ceil(word.length * 0.4)));
    }
  });
}

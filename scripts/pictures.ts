// Makes the pictures of the documentation anew: starts the demo on free ports and looks at it with Chromium. `npm run pictures`.
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { isPortFree } from '../examples/demo/local-http.ts';
import { demoPassword } from '../examples/demo/people.ts';
import { parts } from '../examples/demo/settings.ts';
import { runExperiment, signIn } from '../examples/demo/testing/demo-in-browser.ts';
import { demoEnvironment, launchDemo } from '../examples/demo/testing/launch-demo.ts';
import { chromiumPath, launchChromium } from '../tests/chromium.ts';

if (chromiumPath === undefined) {
  console.error('No Chromium was found, so there are no pictures. Set CHROMIUM_PATH to one.');
  process.exit(1);
}
const folder = resolve(import.meta.dirname, '..', 'docs', 'pictures');
await mkdir(folder, { recursive: true });
const [demo, browser] = await Promise.all([launchDemo(await usualPorts()), launchChromium()]);
const { settings } = demo;
const desk: BrowserContextOptions = { viewport: { width: 1440, height: 1240 }, deviceScaleFactor: 1.5 };
const card: BrowserContextOptions = { viewport: { width: 560, height: 640 }, deviceScaleFactor: 1.5 };
const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true };

try {
  await pictureSigningIn(browser);
  await pictureDemo(browser);
  await picturePhone(browser);
} finally {
  await browser.close();
  await demo.close();
}

/** The server's own pages: whoever signs in for the first time sees them in this order. */
async function pictureSigningIn(browser: Browser): Promise<void> {
  const page = await openDemo(browser, card);
  await page.click('#sign-in');
  await page.fill('[name=username]', 'ada');
  await page.fill('[name=password]', demoPassword);
  await save(page, 'sign-in', true);
  await page.click('button.primary');
  await page.waitForSelector('button[value=allow]');
  await save(page, 'consent', true);
  await page.click('button[value=allow]');
  await page.waitForSelector('#signed-in:not([hidden])');
}

/** The page of the demo after a few buttons, in both themes, and the account page with two devices and two apps. */
async function pictureDemo(browser: Browser): Promise<void> {
  const page = await openDemo(browser, desk);
  await signIn(page, 'ada');
  await runExperiment(page, 'stolen-token');
  await runExperiment(page, 'refresh-fifty');
  await page.click('#read-orders');
  await page.waitForSelector('#answer li');
  const notes = await page.context().newPage();
  await notes.goto(settings.notes);
  await notes.click('button.primary');
  await notes.waitForSelector('#subject');
  await notes.close();
  await page.waitForSelector('#session li:has-text("Notes")');
  await save(page, 'demo');
  await page.emulateMedia({ colorScheme: 'dark' });
  await save(page, 'demo-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 832, height: 640 });
  await page.goto(`${settings.issuer}/account`);
  await save(page, 'account', true);
}

async function picturePhone(browser: Browser): Promise<void> {
  const page = await openDemo(browser, phone);
  await signIn(page, 'ada');
  await page.click('#read-orders');
  await page.waitForSelector('#answer li');
  await page.evaluate(() => window.scrollTo(0, 0));
  await save(page, 'phone');
}

/** The ports a reader sees, if they are free here; else any. The data goes into a folder of its own either way. */
async function usualPorts(): Promise<NodeJS.ProcessEnv> {
  const free = await demoEnvironment();
  const areFree = await Promise.all(Object.values(parts).map(({ port }) => isPortFree(port)));
  if (areFree.every(Boolean)) for (const { port, variable } of Object.values(parts)) free[variable] = String(port);
  return free;
}

async function openDemo(browser: Browser, options: BrowserContextOptions): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  await page.goto(settings.app);
  await page.waitForSelector('#sign-in:visible');
  return page;
}

/** Saves what the window shows, or with `whole` the page down to its end. */
async function save(page: Page, name: string, whole = false): Promise<void> {
  await page.mouse.move(0, 0);
  await page.screenshot({ path: resolve(folder, `${name}.png`), caret: 'hide', fullPage: whole });
  console.log(`docs/pictures/${name}.png`);
}

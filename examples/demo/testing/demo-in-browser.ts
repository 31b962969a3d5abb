import type { Page } from 'playwright-core';
import { demoPassword } from '../people.ts';

/** Presses "Sign in" and goes through the server's pages, consent too if it is asked for. Ends where the app shows who is signed in. */
export async function signIn(page: Page, username: 'ada' | 'bob'): Promise<void> {
  await page.click('#sign-in');
  await page.fill('[name=username]', username);
  await page.fill('[name=password]', demoPassword);
  await page.click('button.primary');
  await page.waitForSelector('button[value=allow], #signed-in:not([hidden])');
  if (await page.$('button[value=allow]')) await page.click('button[value=allow]');
  await page.waitForSelector('#signed-in:not([hidden])');
  await page.waitForSelector('#session .badge.live');
}

/** Presses one of the buttons that make a point, and waits for what came of it. */
export async function runExperiment(page: Page, id: string): Promise<{ headline: string; text: string }> {
  await page.click(`#${id}:enabled`);
  await page.waitForSelector(`#${id}-result .big`, { timeout: 120_000 });
  return { headline: await page.innerText(`#${id}-result .big`), text: await page.innerText(`#${id}-result`) };
}

/** The generation of the refresh token as the page shows it, once it shows this one. */
export async function waitForGeneration(page: Page, generation: number): Promise<void> {
  await page.waitForSelector(`#generation:text-is("Generation ${generation}")`);
}

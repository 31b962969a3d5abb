// The page's script: wires the buttons, follows the session, moves the clocks.
import { isClientError } from '@tessera/client/browser';
import type { SessionView } from '../session-view.ts';
import { readSession, watchSession } from './backend.ts';
import { client, legacyClient } from './clients.ts';
import { button, element, place } from './element.ts';
import { endSessionElsewhere } from './experiments/end-elsewhere.ts';
import { loseTheAnswer } from './experiments/lose-answer.ts';
import type { Outcome, Say } from './experiments/outcome.ts';
import { refreshFiftyTimes } from './experiments/refresh-fifty.ts';
import { signOutEverywhere } from './experiments/sign-out-everywhere.ts';
import { isOldAppSignedIn, replayStolenToken } from './experiments/stolen-token.ts';
import { grantOf, type HeldToken, readHeldToken } from './held-token.ts';
import { placeOrder, readOrders } from './orders.ts';
import { showSession, tickSession } from './session-panel.ts';
import { showToken, tickToken } from './token-panel.ts';
import { now } from './words.ts';

const experiments: Record<string, (say: Say) => Promise<Outcome>> = {
  'refresh-fifty': refreshFiftyTimes,
  'lose-answer': loseTheAnswer,
  'stolen-token': replayStolenToken,
  'end-elsewhere': endSessionElsewhere,
  'sign-out-everywhere': signOutEverywhere,
};
/** Marks in the tab that an experiment goes on after a redirect. */
const resumeMark = 'demo:resume';
const lookEveryMs = 1500;

let held: HeldToken | undefined;
let session: SessionView | undefined;
let isBusy = false;
let looking = Promise.resolve();

onClick('sign-in', () => client.signIn({ returnTo: '/' }));
onClick('sign-out', () => client.signOut({ everywhereInThisBrowser: true }));
onClick('read-orders', readOrders);
onClick('place-order', placeOrder);
for (const id of Object.keys(experiments)) onClick(id, () => run(id));

client.onChange(({ reason }) => void attempt(async () => reason === 'signed_in' && watchSession()));
setInterval(() => {
  tickToken(held);
  tickSession();
}, 1000);
setInterval(() => document.hidden || isBusy || void look(), lookEveryMs);

await attempt(async () => {
  const back = await client.handleRedirect();
  await legacyClient.handleRedirect();
  if (back.kind === 'signed_out') say("You're signed out, here and in Notes.");
});
const resumed = sessionStorage.getItem(resumeMark);
sessionStorage.removeItem(resumeMark);
if (resumed !== null && held && experiments[resumed]) await attempt(() => run(resumed));

function onClick(id: string, work: () => Promise<unknown>): void {
  button(id).onclick = () => {
    say('');
    void attempt(work);
  };
}

/** Does something; a failure is said in words. Afterwards the page shows how things stand. */
async function attempt(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    say(wordsFor(error));
  }
  await look();
}

/** Runs an experiment and shows what came of it. */
async function run(id: string): Promise<void> {
  if (isBusy) return;
  isBusy = true;
  enableButtons();
  const result = place(`${id}-result`);
  result.scrollIntoView({ block: 'nearest' });
  const experiment = experiments[id] as (say: Say) => Promise<Outcome>;
  try {
    if (id === 'stolen-token') {
      result.replaceChildren(element('p', {}, 'Signing in to the old app …'));
      sessionStorage.setItem(resumeMark, id);
      if (!(await isOldAppSignedIn())) return;
      sessionStorage.removeItem(resumeMark);
    }
    const outcome = await experiment((text) => result.replaceChildren(element('p', {}, text)));
    result.replaceChildren(
      element('p', { class: 'big mono' }, outcome.headline),
      element('p', { class: 'means' }, outcome.means),
      ...outcome.says.map((text) => element('p', { class: 'small' }, text)),
    );
  } catch (error) {
    result.replaceChildren(element('p', {}, wordsFor(error)));
  } finally {
    isBusy = false;
  }
}

/** Looks at the tokens and asks the server about the session, and shows both; one look after the other. */
function look(): Promise<void> {
  looking = looking.then(lookNow, lookNow);
  return looking;
}

async function lookNow(): Promise<void> {
  session = (await readSession()) ?? session;
  let fresh = await readHeldToken();
  if (fresh && grantOf(session, fresh)?.isLive === false && !isBusy) {
    // It ended elsewhere, while this app did nothing. Asked for a new token, the server says so, and the client forgets the old one.
    await client.refresh().catch(() => say(`You're signed out: ${session?.ended?.because ?? 'this app is out'}.`));
    [held, fresh] = [fresh, await readHeldToken()];
  }
  // A token that was lost stays in view, as what it is now.
  if (fresh) held = fresh;
  else if (held && held.refusedAt === undefined) held = { ...held, refusedAt: session?.ended?.at ?? now() };
  if (fresh) place('user-name').textContent = String((await client.getUser())?.name ?? '');
  place('signed-in').hidden = fresh === undefined;
  place('signed-out').hidden = fresh !== undefined;
  enableButtons();
  showToken(held, grantOf(session, held));
  showSession(session);
}

function enableButtons(): void {
  const isSignedIn = !place('signed-in').hidden;
  for (const id of ['read-orders', 'place-order', ...Object.keys(experiments)])
    button(id).disabled = isBusy || !isSignedIn;
  const devices = 1 + (session?.otherDevices.length ?? 0);
  button('sign-out-everywhere').textContent =
    devices === 1 ? 'Sign out everywhere' : `Sign out everywhere: ${devices} devices`;
}

function say(text: string): void {
  place('notice').textContent = text;
}

function wordsFor(error: unknown): string {
  if (isClientError(error, 'sign_in_required', 'refresh_refused'))
    return "You're signed out: the server ended what this app had. Sign in to go on.";
  if (isClientError(error, 'authorization_refused'))
    return error.error === 'access_denied'
      ? 'You said no, so nothing was done.'
      : 'The server wants you to sign in first.';
  if (isClientError(error, 'network', 'server_unavailable'))
    return "The server doesn't answer. You're still signed in; try again in a moment.";
  return `That didn't work: ${error instanceof Error ? error.message : 'nobody knows why'}.`;
}

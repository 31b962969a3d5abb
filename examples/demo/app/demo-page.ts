import { demoPassword } from '../people.ts';
import type { DemoSettings } from '../settings.ts';
import { type Experiment, experiments } from './experiments.ts';
import { escapeHtml, frame } from './frame.ts';
import { readExcerpt } from './read-excerpt.ts';

/** The page of the demo as it stands before its script has run. The script finds its places by id. */
export function demoPage(settings: DemoSettings): string {
  const { issuer, api, notes } = settings;
  return frame({
    title: 'Tessera demo: a live session behind every token',
    brand: 'Tessera demo',
    bodyClass: 'demo',
    root: ` data-issuer="${issuer}" data-api="${api}" data-app="${settings.app}"`,
    head: '<script type="module" src="/app.js"></script>\n',
    main: `<div class="intro">
<h1>A live session behind every token</h1>
<p>Three views of one sign-in: an app, what the app holds, and the session at the server that stands behind it. Press a button and watch all three.</p>
<noscript><p class="notice">This page is an app in your browser and needs JavaScript. <a href="${notes}">Notes, the second app</a>, works without.</p></noscript>
</div>
<div class="columns">
${appColumn(settings)}
<section class="card" aria-labelledby="holds">
<h2 id="holds">What it holds</h2>
<div id="token" class="column-body">
<p>Nothing yet. When you sign in, the app gets two tokens:</p>
<dl class="explained"><dt>An access token</dt><dd>A signed note that says who you are and what the app may do. APIs check it by themselves. It is good for two minutes.</dd><dt>A refresh token</dt><dd>Gets the next access token. It changes with every use, so that a stolen copy gives itself away.</dd></dl>
</div>
</section>
<section class="card" aria-labelledby="live">
<h2 id="live">The live session</h2>
<div id="session" class="column-body">
<p>None yet. It begins when you sign in, and lives at the server:</p>
<dl class="explained"><dt>A session</dt><dd>One sign-in, in one browser. End it, and everything below is dead within a moment, wherever it is.</dd><dt>A grant for each app in it</dt><dd>What that app may do. It remembers how often the refresh token changed.</dd><dt>What happened</dt><dd>Each sign-in, each refusal, each ending, with its reason.</dd></dl>
</div>
</section>
</div>
<footer><p>The server is at <a href="${issuer}">${hostOf(issuer)}</a>, the API at ${hostOf(api)}. Your devices and apps: <a href="${issuer}/account">account page</a>.</p></footer>`,
  });
}

function appColumn({ notes }: DemoSettings): string {
  return `<section class="card" aria-labelledby="app">
<h2 id="app">The app</h2>
<div class="column-body">
<div id="notice" class="notice" role="status"></div>
<div id="signed-out" class="stack">
<dl class="facts people"><dt class="mono">ada</dt><dd>may read and write</dd><dt class="mono">bob</dt><dd>may only read</dd><dt>Password</dt><dd class="mono select">${demoPassword}</dd></dl>
<button id="sign-in" class="button primary">Sign in</button>
</div>
<div id="signed-in" class="stack" hidden>
<p>Signed in as <span class="name" id="user-name"></span></p>
<p class="pair"><button id="sign-out" class="button compact">Sign out</button><a class="button compact" href="${notes}" target="_blank" rel="noopener">Open a second app</a></p>
</div>
<div class="rule stack">
<h3>Call the API</h3>
<p class="pair"><button id="read-orders" class="button compact">Read the orders</button><button id="place-order" class="button compact">Place an order</button></p>
<div id="answer" class="answer" role="status"></div>
</div>
<div class="rule stack">
<h3>Try to break it</h3>
<ul class="experiments">
${experiments.map(experimentItem).join('\n')}
</ul>
</div>
</div>
</section>`;
}

function experimentItem({ id, button, isDestructive, shows, code }: Experiment): string {
  const excerpts = code.map(
    (one) =>
      `<p class="small mono">${escapeHtml(one.file)}</p>\n<pre tabindex="0" aria-label="${escapeHtml(one.file)}"><code>${escapeHtml(readExcerpt(one))}</code></pre>`,
  );
  return `<li>
<button id="${id}" class="button compact${isDestructive ? ' destructive' : ''}" aria-describedby="${id}-shows" disabled>${button}</button>
<p class="small" id="${id}-shows">${escapeHtml(shows)}</p>
<div id="${id}-result" class="result" role="status"></div>
<details class="code"><summary class="small">The code for this</summary>
${excerpts.join('\n')}
</details>
</li>`;
}

function hostOf(origin: string): string {
  return new URL(origin).host;
}

import { escapeHtml, frame } from '../app/frame.ts';
import type { DemoSettings } from '../settings.ts';

/** What the page has to say. */
export type NotesState =
  | { kind: 'signed in'; name: string; subject: string }
  | { kind: 'signed out' | 'ended elsewhere' | 'refused' | 'failed' };

const notices = {
  'signed out': '',
  'ended elsewhere':
    'Your session ended elsewhere, so it ended here too. Notes noticed by itself: nobody had to tell this browser.',
  refused: "That sign-in didn't come through, so nothing was done. Try again.",
  failed: "The server can't be asked right now. You're not signed out; try again in a moment.",
} as const;

/** The one page of Notes. */
export function notesPage(settings: DemoSettings, state: NotesState): string {
  const body = state.kind === 'signed in' ? signedIn(settings, state) : signedOut(settings, notices[state.kind]);
  return frame({ title: 'Notes', brand: 'Notes', bodyClass: 'narrow', main: body });
}

function signedIn(settings: DemoSettings, { name, subject }: { name: string; subject: string }): string {
  return `<div class="card">
<h1>Good to see you, ${escapeHtml(name)}</h1>
<p>You're signed in, by the session you already had at the server. In the demo app and here you are the same person:</p>
<dl class="facts"><dt>Subject</dt><dd class="mono" id="subject">${escapeHtml(subject)}</dd></dl>
<p class="small">Your browser holds a cookie that script can't read. The tokens stay on the server of this app; none of them ever reaches the browser.</p>
<form method="post" action="/sign-out"><button class="button destructive">Sign out of all apps here</button></form>
<p class="small"><a href="${settings.app}">Back to the demo app</a></p>
</div>`;
}

function signedOut(settings: DemoSettings, notice: string): string {
  return `<div class="card">
<h1>Notes</h1>
${notice && `<p class="notice" role="status">${notice}</p>`}
<p>A second app, made by other people: its pages come from its own server, and it knows Tessera only by address.</p>
<p>If you are signed in at the demo app, you won't be asked for a password again.</p>
<form method="post" action="/sign-in"><button class="button primary">Continue with Tessera</button></form>
<p class="small"><a href="${settings.app}">Back to the demo app</a></p>
</div>`;
}

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createEdge } from '@tessera/edge';
import { demoStylesheet } from '../app/stylesheet.ts';
import { closeServer, listenOnLoopback } from '../local-http.ts';
import type { DemoSecrets, DemoSettings } from '../settings.ts';
import { BrowserSessions } from './browser-sessions.ts';
import { notesPage } from './notes-page.ts';
import {
  beginSignIn,
  completeSignIn,
  type OpenIdClient,
  type PendingSignIn,
  refreshSignIn,
  type SignedIn,
  signOutUrl,
} from './openid.ts';

/** The second app of the demo. */
export type NotesApp = { listen(port: number): Promise<void>; close(): Promise<void> };

/**
 * A web app without script: its pages come from the server, and so the tokens stay there too; the browser holds a cookie. At each page it asks its edge whether the access token is
 * still worth something, which costs no call, and so it notices within a moment when the session ended elsewhere.
 */
export function createNotesApp(settings: DemoSettings, secrets: DemoSecrets): NotesApp {
  const client: OpenIdClient = {
    issuer: settings.issuer,
    clientId: 'demo-notes',
    secret: secrets.notes,
    redirectUri: `${settings.notes}/callback`,
    resource: settings.notes,
  };
  const edge = createEdge({
    issuer: settings.issuer,
    audience: settings.notes,
    clientId: 'demo-notes',
    clientSecret: secrets.notes,
    onNotice: ({ kind, ...more }) => kind === 'feed-lost' && console.warn('Notes: no word from the server', more),
  });
  const pending = new BrowserSessions<PendingSignIn>('notes_sign_in');
  const sessions = new BrowserSessions<SignedIn>('notes_session');
  const style = demoStylesheet();
  const show = (response: ServerResponse, shown: Parameters<typeof notesPage>[1], status = 200) =>
    answer(response, status, 'text/html', notesPage(settings, shown));

  async function home(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const mine = sessions.get(request);
    if (!mine) return show(response, { kind: 'signed out' });
    const alive = await stillSignedIn(mine);
    if (!alive) {
      sessions.end(request, response);
      return show(response, { kind: 'ended elsewhere' });
    }
    sessions.replace(request, alive);
    show(response, { kind: 'signed in', name: alive.name, subject: alive.subject });
  }

  /** The sign-in as it is now, with new tokens if the access token ran out; undefined when it is over. */
  async function stillSignedIn(mine: SignedIn): Promise<SignedIn | undefined> {
    const verification = await edge.verifyAccessToken({
      method: 'GET',
      url: settings.notes,
      authorization: [`Bearer ${mine.accessToken}`],
      dpop: [],
    });
    if (verification.ok) return mine;
    // Nobody knows right now whether it is over: that is no reason to sign anybody out.
    if (verification.status === 503) throw new Error(`the token cannot be checked: ${verification.reason}`);
    return verification.reason === 'token_expired' ? refreshSignIn(client, mine) : undefined;
  }

  function signIn(request: IncomingMessage, response: ServerResponse): void {
    const begun = beginSignIn(client);
    pending.begin(request, response, begun.pending);
    redirect(response, begun.url);
  }

  async function callback(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { searchParams } = new URL(request.url ?? '/', settings.notes);
    const signedIn = await completeSignIn(client, pending.end(request, response), searchParams);
    if (!signedIn) return show(response, { kind: 'refused' }, 400);
    sessions.begin(request, response, signedIn);
    redirect(response, '/');
  }

  function signOut(request: IncomingMessage, response: ServerResponse): void {
    const mine = sessions.end(request, response);
    redirect(response, mine ? signOutUrl(client, mine, `${settings.notes}/`) : '/');
  }

  const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => unknown> = {
    'GET /': home,
    'GET /callback': callback,
    'POST /sign-in': signIn,
    'POST /sign-out': signOut,
    'GET /app.css': (_request, response) => answer(response, 200, 'text/css', style),
    'GET /health': (_request, response) =>
      answer(response, edge.status().knowledge?.isCurrent ? 200 : 503, 'text/plain', 'Notes\n'),
  };

  const http = createServer((request, response) => {
    const route = routes[`${request.method} ${request.url?.split('?')[0]}`];
    if (request.headers.host !== new URL(settings.notes).host) return void response.writeHead(421).end();
    if (!route) return answer(response, 404, 'text/plain', 'There is nothing here.\n');
    // A form of another site must not sign anybody in or out here; browsers say where a form comes from.
    if (request.method === 'POST' && request.headers.origin !== settings.notes)
      return answer(response, 403, 'text/plain', 'This form came from another site.\n');
    response.setHeader(
      'Content-Security-Policy',
      `default-src 'none'; style-src 'self'; img-src data:; form-action 'self' ${settings.issuer}; base-uri 'none'; frame-ancestors 'none'`,
    );
    Promise.resolve(route(request, response)).catch((error: unknown) => {
      console.warn('Notes:', error);
      if (response.headersSent) response.destroy();
      else show(response, { kind: 'failed' }, 503);
    });
  });
  return {
    async listen(port) {
      await edge.start();
      await listenOnLoopback(http, port);
    },
    async close() {
      await edge.close();
      await closeServer(http);
    },
  };
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(303, { Location: location, 'Cache-Control': 'no-store' }).end();
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response
    .writeHead(status, {
      'Content-Type': `${type}; charset=utf-8`,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    })
    .end(body);
}

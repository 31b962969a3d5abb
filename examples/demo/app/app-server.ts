import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createEdge } from '@tessera/edge';
import { type ProtectedRequest, protect } from '@tessera/edge/node';
import { closeServer, listenOnLoopback, readJson } from '../local-http.ts';
import type { DemoSecrets, DemoSettings } from '../settings.ts';
import { AdminApi } from './admin-api.ts';
import { bundlePage } from './bundle-page.ts';
import { demoPage } from './demo-page.ts';
import { viewSession } from './session-view.ts';
import { demoStylesheet } from './stylesheet.ts';
import { presentAsThief } from './thief.ts';

/** The first app of the demo: the page, and a small backend that knows the live session. */
export type DemoApp = { listen(port: number): Promise<void>; close(): Promise<void> };

type Watched = { sid: string; userId: string };
type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The paths that answer with the page; the client library takes what the address says from there. */
const pagePaths = ['/', '/callback', '/callback/legacy', '/signed-out'];
const watchCookie = 'demo_watch';
const mostWatched = 1000;

/**
 * Makes it; bundles the page's script, in memory. Routes that do something need an access token, verified by an edge as at any API. What the page shows of the session must
 * outlive that token, to show how it ended: so a page that came with a good token once gets a cookie that lets it read this one session's story.
 */
export async function createDemoApp(settings: DemoSettings, secrets: DemoSecrets): Promise<DemoApp> {
  const script = await bundlePage();
  const page = demoPage(settings);
  const style = demoStylesheet();
  const admin = new AdminApi(settings, secrets);
  const watched = new Map<string, Watched>();
  const edge = createEdge({
    issuer: settings.issuer,
    audience: settings.app,
    clientId: 'demo-operator',
    clientSecret: secrets.operator,
    publicUrl: settings.app,
    onNotice: ({ kind, ...more }) => kind === 'feed-lost' && console.warn('demo app: no word from the server', more),
  });

  const watch = ({ auth }: ProtectedRequest, response: ServerResponse) => {
    const id = randomBytes(18).toString('base64url');
    watched.set(id, { sid: auth.sessionId ?? '', userId: auth.subject });
    for (const oldest of watched.keys()) if (watched.size > mostWatched) watched.delete(oldest);
    response.setHeader('Set-Cookie', `${watchCookie}=${id}; Path=/backend/; HttpOnly; SameSite=Strict`);
    answerJson(response, 200, {});
  };
  const readSession = async (request: IncomingMessage, response: ServerResponse) => {
    const mine = watched.get(readCookie(request, watchCookie) ?? '');
    const story = mine && (await admin.readStory(mine.sid));
    if (!mine || !story) return answerJson(response, 200, { isWatched: false });
    answerJson(response, 200, viewSession(story, await admin.listLiveSessions(mine.userId)));
  };
  const endSession = async ({ auth }: ProtectedRequest, response: ServerResponse) => {
    await admin.endSession(auth.sessionId ?? '');
    answerJson(response, 200, { sessions: 1 });
  };
  const signOutEverywhere = async ({ auth }: ProtectedRequest, response: ServerResponse) =>
    answerJson(response, 200, { sessions: await admin.signOutEverywhere(auth.subject) });
  const thief = async (request: ProtectedRequest, response: ServerResponse) =>
    answerJson(response, 200, await presentAsThief(settings.issuer, await readJson(request)));

  const routes: Record<string, Handler> = {
    ...Object.fromEntries(pagePaths.map((path) => [`GET ${path}`, (_: unknown, response) => answerPage(response)])),
    'GET /app.js': (_request, response) => answerText(response, 'text/javascript', script),
    'GET /app.css': (_request, response) => answerText(response, 'text/css', style),
    'GET /backend/session': readSession,
    'POST /backend/watch': protect(edge, {}, watch),
    'POST /backend/end-session': protect(edge, {}, endSession),
    'POST /backend/sign-out-everywhere': protect(edge, {}, signOutEverywhere),
    'POST /backend/thief': protect(edge, {}, thief),
    'GET /health': (_request, response) =>
      answerJson(response, edge.status().knowledge?.isCurrent ? 200 : 503, { knowledge: edge.status().knowledge }),
  };

  function answerPage(response: ServerResponse): void {
    response.setHeader('Content-Security-Policy', securityPolicy(settings));
    response.setHeader('Referrer-Policy', 'no-referrer');
    answerText(response, 'text/html', page);
  }

  const http = createServer((request, response) => {
    const route = routes[`${request.method} ${request.url?.split('?')[0]}`];
    // Another name that leads here is somebody else's page trying to talk to this one (DNS rebinding).
    if (request.headers.host !== new URL(settings.app).host) return void response.writeHead(421).end();
    if (!route) return answerText(response, 'text/plain', 'There is nothing here.\n', 404);
    Promise.resolve(route(request, response)).catch((error: unknown) => {
      console.warn('demo app:', error);
      if (response.headersSent) response.destroy();
      else answerJson(response, 503, { error_description: 'the server cannot be asked right now' });
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

/** The page may run its own script and style and talk to itself, the server and the API; nothing else, from nowhere else. */
function securityPolicy({ issuer, api }: DemoSettings): string {
  return [
    `default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' ${issuer} ${api}`,
    `form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'`,
  ].join('; ');
}

function answerText(response: ServerResponse, type: string, body: string, status = 200): void {
  response
    .writeHead(status, {
      'Content-Type': `${type}; charset=utf-8`,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    })
    .end(body);
}

function answerJson(response: ServerResponse, status: number, body: object): void {
  answerText(response, 'application/json', JSON.stringify(body), status);
}

function readCookie(request: IncomingMessage, name: string): string | undefined {
  const pairs = (request.headers.cookie ?? '').split(/; */);
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}

import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Seconds } from '@tessera/protocol';
import { type Logger, pino } from 'pino';
import type { AdminDoor } from './admin/rest/admin-door.ts';
import { adminResourceServer } from './admin-resource-server.ts';
import { Clock, type TimeSource } from './clock.ts';
import type { Config } from './config/config.ts';
import { applyDeclarations } from './config/declare.ts';
import type { Context } from './context.ts';
import { makeDataFolder } from './data-folder.ts';
import { EventFollower } from './events/event-follower.ts';
import { RefusalJournal } from './events/refusal-journal.ts';
import { RevocationFeed } from './events/revocation-feed.ts';
import { type ClientAddress, createClientAddress } from './http/client-address.ts';
import { cookieJar } from './http/cookies.ts';
import { drain } from './http/drain.ts';
import { fetchDoor } from './http/fetch-door.ts';
import { nodeDoor } from './http/node-door.ts';
import { basePath } from './http/page-output.ts';
import { pathAndQuery } from './http/request-target.ts';
import { RequestsUnderWay } from './http/requests-under-way.ts';
import { rememberIssuer } from './issuer-of-store.ts';
import { Maintenance, refreshSigningKeys, reloadSigningKeys } from './maintenance.ts';
import { type CollectedMetrics, createMetrics } from './metrics.ts';
import { onFirstUse } from './on-first-use.ts';
import { Registry } from './registry.ts';
import { applyFormerEndings } from './restore/apply-former-endings.ts';
import { Passwords } from './secrets/password.ts';
import { type Random, systemRandom } from './secrets/random.ts';
import { readRootKeys } from './secrets/root-key-file.ts';
import type { RootKeys } from './secrets/root-keys.ts';
import { assertRootKeysAtHand, assertRootKeysOpen } from './secrets/root-keys-at-hand.ts';
import { keepLifetime } from './sessions/tokens-until.ts';
import { JournaledStore } from './store/journal/journaled-store.ts';
import { openStore } from './store/open-store.ts';
import { restoreRecordOf, restoreSetting } from './store/restore-record.ts';
import type { EventRecord, Store } from './store/store.ts';
import { Throttle } from './throttle.ts';
import { readSigningKeys } from './tokens/key-rotation.ts';
import { SigningKeys } from './tokens/signing-keys.ts';
import { visibleJson } from './visible-json.ts';

/** How long, in milliseconds, nothing may move on a connection whose request is under way or whose answer is not read: more than a receiver of the feed may ask to be held. */
const longestSilenceMs = 90_000;

/** How a server is made. All but `config` have defaults; tests hand in their own store, clock and randomness. */
export type ServerOptions = {
  config: Config;
  /** Default: from TESSERA_ROOT_KEYS or `<data>/root-keys.json`, which is made at the first start. */
  rootKeys?: RootKeys;
  /** Default: what the configuration says, SQLite in `<data>/tessera.db` or Postgres. The server closes it. */
  store?: Store;
  /** The time in milliseconds. Default: the database's clock, or this machine's where the store is embedded. */
  nowMs?: () => number;
  /** The clocks of this machine, from which the default of `nowMs` is made; with `nowMs`, time runs on as that does. */
  time?: TimeSource;
  random?: Random;
  log?: Logger;
  /** Whether what the configuration declares is put into the store. Default: true. */
  declares?: boolean;
  /** Brings the metrics of all processes that serve the same port, this one's among them, when there are several. */
  metricsOfAll?: () => Promise<CollectedMetrics[]>;
};

/** A server that is ready: it answers through `fetch` at once, and on a port after `listen`. */
export type TesseraServer = {
  context: Context;
  /** Answers one request without a network. */
  fetch(request: Request, ip?: string): Promise<Response>;
  /** Listens where the configuration says (port 0: a free one). */
  listen(): Promise<{ url: string; port: number }>;
  /** Ends what has lapsed now, instead of within two seconds. */
  endLapsed(): Promise<number>;
  /** Stops taking connections, answers what is under way, closes the store. `lingerMs`: how long idle connections of proxies stay open first, see `drain`; 0 by default. */
  close(options?: { lingerMs?: number }): Promise<void>;
};

/** Makes a server: opens the store, applies what the configuration declares, makes or loads the signing keys. The one place that knows every folder. */
export async function createServer(options: ServerOptions): Promise<TesseraServer> {
  const { config } = options;
  const context = await createContext(options);
  context.follower.subscribe((events) => takeNotice(context, events));
  if (options.declares ?? true) await applyDeclarations(config, { ...context, now: context.now() });
  await rememberLifetimes(context);
  await rememberIssuer(context);
  await refreshSigningKeys(context);
  const feed = new RevocationFeed(context);
  const maintenance = new Maintenance(context);
  await maintenance.start();

  let isDraining = false;
  const routed = { feed, isDraining: () => isDraining };
  const base = basePath(config.issuer);
  const clientAddress = createClientAddress(config.trustedProxies, (peer) =>
    context.log.warn(
      { peer },
      'X-Forwarded-For comes from an address that is no trusted proxy and is ignored: all behind it count as one when failures are throttled; if it is your proxy, name it in trustedProxies',
    ),
  );
  const door = nodeDoor(context, routed, base, clientAddress);
  const plainFetch = fetchDoor(context, routed, base);
  const adminDoor = adminDoorOnFirstUse(context, base, clientAddress);
  const isAdmin = (path: string) => path.startsWith(`${base}/admin/api`);
  const underWay = new RequestsUnderWay();

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { socket } = request;
    if (!underWay.begin(socket)) {
      socket.destroy();
      return;
    }
    if (isDraining) response.shouldKeepAlive = false;
    request.url = pathAndQuery(request.url ?? '/');
    try {
      if (isAdmin(request.url)) await (await adminDoor()).listener(request, response);
      else await door(request, response);
    } catch (error) {
      context.log.error({ error: String(error) }, 'an answer could not be written');
      response.destroy();
    }
    if (!underWay.end(socket, response)) socket.destroy();
  };

  const http = createHttpServer(
    { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 65_000, noDelay: true },
    (request, response) => void serve(request, response),
  );
  // Node's own bounds are about requests; an answer that nobody reads would stay for ever.
  http.timeout = longestSilenceMs;

  return {
    context,
    fetch: (request, ip) => {
      const { pathname } = new URL(request.url);
      return isAdmin(pathname) ? adminDoor().then((admin) => admin.fetch(request, ip)) : plainFetch(request, ip);
    },
    listen: () => listen(http, config),
    endLapsed: () => maintenance.endLapsed(),
    close: async ({ lingerMs = 0 } = {}) => {
      if (isDraining) return;
      isDraining = true;
      feed.close();
      await drain(http, lingerMs);
      await maintenance.stop();
      await context.refusals.flush();
      context.follower.stop();
      context.clock.stop();
      await context.store.close();
    },
  };
}

async function createContext(options: ServerOptions): Promise<Context> {
  const { config, random = systemRandom } = options;
  const log =
    options.log ??
    pino({
      level: config.logLevel,
      base: null,
      redact: ['*.password', '*.client_secret', '*.token'],
      hooks: { streamWrite: visibleJson },
    });
  const logFailure = (error: unknown) => log.error({ error: String(error) }, 'the store could not be read or written');
  if (!options.rootKeys || !options.store) await makeDataFolder(config.data);
  if (!options.rootKeys && !options.store) await assertRootKeysAtHand(config, process.env);
  const rootKeys = options.rootKeys ?? (await readRootKeys({ env: process.env, dataFolder: config.data, random }));
  const store = options.store ?? (await openStore(config, (message) => log.warn(message)));
  try {
    assertRootKeysOpen(rootKeys, await readSigningKeys(store));
  } catch (error) {
    if (!options.store) await store.close();
    throw error;
  }
  const { clock, nowMs, monotonicMs } = clocksOf(options, store, log);
  const now = (): Seconds => Math.floor(nowMs() / 1000);
  let issuerEpoch = 0;
  const follower = new EventFollower(store, { nowMs, monotonicMs }, logFailure);
  follower.subscribe((events) => {
    for (const event of events)
      if (event.type === 'issuer.epoch_raised') issuerEpoch = Math.max(issuerEpoch, Number(event.data?.epoch));
  });
  await clock.start();
  if (store instanceof JournaledStore) await applyOwnJournal({ config, rootKeys, random, now }, store, log);
  const restore = restoreRecordOf(await store.get('setting', restoreSetting));
  // Before anything is read that is remembered: what changes from now on is noticed.
  await follower.start();
  const raised = (await store.get('setting', 'issuer_epoch'))?.value as { epoch?: number } | undefined;
  issuerEpoch = Math.max(issuerEpoch, raised?.epoch ?? 0);
  return {
    config,
    store,
    rootKeys,
    signingKeys: new SigningKeys(rootKeys),
    registry: new Registry(store, [adminResourceServer(config.issuer)]),
    passwords: new Passwords(),
    follower,
    refusals: new RefusalJournal(store, now, logFailure),
    throttle: new Throttle(store, now),
    cookies: cookieJar(config.issuer),
    issuerEpoch: () => issuerEpoch,
    resumedAt: restore?.policy === 'resume' ? restore.at : undefined,
    random,
    now,
    nowMs,
    monotonicMs,
    clock,
    log,
    metrics: createMetrics(options.metricsOfAll),
  };
}

/** The time as the options say it, or by the database's clock and this machine's. */
function clocksOf({ nowMs, time }: ServerOptions, store: Store, log: Logger) {
  if (nowMs) {
    const inHand = { wallMs: nowMs, monotonicMs: nowMs };
    return { clock: new Clock(inHand, {}, log), nowMs, monotonicMs: nowMs };
  }
  const source = time ?? { wallMs: Date.now, monotonicMs: () => performance.now() };
  const clock = new Clock(source, store, log);
  return { clock, nowMs: clock.nowMs, monotonicMs: source.monotonicMs };
}

/** Applies the journal of this node if it is from before a restore, at which it was away. */
async function applyOwnJournal(
  context: Pick<Context, 'config' | 'rootKeys' | 'random' | 'now'>,
  store: JournaledStore,
  log: Logger,
): Promise<void> {
  const applied = await applyFormerEndings(context, store);
  if (applied !== undefined)
    log.warn(applied, 'the store was restored since; the endings in the journal of this node were applied again');
}

/** Drops what is at hand of records that changed, wherever they were changed. */
async function takeNotice(context: Context, events: readonly EventRecord[]): Promise<void> {
  for (const { type, clientId } of events) {
    if (type.startsWith('client.') && clientId !== undefined) context.registry.forgetClient(clientId);
    if (type.startsWith('resource_server.')) context.registry.forgetResourceServers();
  }
  // Awaited: the feed must not tell of a revoked key under that key. A failure counts as not having read the events: nobody may go on with a key that was revoked.
  if (events.some(({ type }) => type.startsWith('key.'))) await reloadSigningKeys(context);
}

/** Remembers the longest access token lifetime in force: endings must be told for that long. */
async function rememberLifetimes(context: Context): Promise<void> {
  const { config } = context;
  const clients = config.clients.map((client) => client.lifetimes.accessToken ?? 0);
  const servers = config.resourceServers.map((server) => server.accessTokenLifetime ?? 0);
  await keepLifetime(context, Math.max(config.lifetimes.accessToken, ...clients, ...servers));
}

/** The admin API is large, and many servers are never asked for it: it is loaded with its first request. */
function adminDoorOnFirstUse(context: Context, base: string, clientAddress: ClientAddress): () => Promise<AdminDoor> {
  return onFirstUse(async () =>
    (await import('./admin/rest/admin-door.ts')).openAdminDoor(context, base, clientAddress),
  );
}

async function listen(http: Server, config: Config): Promise<{ url: string; port: number }> {
  const { host, port } = config.listen;
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, () => {
      http.off('error', reject);
      resolve();
    });
  });
  const bound = (http.address() as AddressInfo).port;
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`, port: bound };
}

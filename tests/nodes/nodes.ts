import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  findPostgres,
  howToInstall,
  query,
  startTestPostgres,
  type TestPostgres,
} from '../../packages/server/src/store/postgres/test-postgres.ts';
import { appsConfig, type Reach } from '../apps.ts';
import { runCommand, type ServerProcess, startServerProcess } from '../crash/server-process.ts';
import { DatabaseProxy } from './database-proxy.ts';

/** Why the tests on Postgres are skipped; false where they are not. */
export const skipWithoutPostgres = findPostgres() === undefined ? howToInstall : false;
if (skipWithoutPostgres) console.error(skipWithoutPostgres);

/** The issuer of all nodes: nobody listens there, as behind a load balancer that the tests are themselves. */
const issuer = 'http://127.0.0.1:8080';

/** Between the last request to a node and its end: one that comes over a kept connection in the moment this is closed gets no answer, whoever the server is. */
const deregistrationMs = 1000;

/** How one node is started. `program`: the command line of another version. `proxied`: through a connection to the database that a test may disturb. */
export type NodeOptions = { args?: readonly string[]; program?: string; preload?: string; proxied?: boolean };

/** One node. Its number stays when it is started again. */
export class ServerNode {
  readonly number: number;
  readonly proxy: DatabaseProxy | undefined;
  readonly #issuer: string;
  readonly #start: () => Promise<ServerProcess>;
  #process: ServerProcess | undefined;
  #starting: Promise<unknown> = Promise.resolve();
  /** Where it listened last: what is asked of a dead node fails, as it should. */
  #url = 'http://127.0.0.1:9';
  isFrozen = false;

  constructor(number: number, proxy: DatabaseProxy | undefined, issuer: string, start: () => Promise<ServerProcess>) {
    this.number = number;
    this.proxy = proxy;
    this.#issuer = issuer;
    this.#start = start;
  }

  get url(): string {
    return this.#url;
  }

  get reach(): Reach {
    return { issuer: this.#issuer, url: this.#url };
  }

  get isRunning(): boolean {
    return this.#process !== undefined && !this.isFrozen;
  }

  get process(): ServerProcess {
    assert.ok(this.#process, `node ${this.number} does not run`);
    return this.#process;
  }

  start(): Promise<void> {
    const started = this.#start().then((process) => {
      this.#process = process;
      this.#url = process.url;
    });
    this.#starting = started.catch(() => undefined);
    return started;
  }

  async kill(): Promise<void> {
    await this.#starting;
    const process = this.#process;
    this.#process = undefined;
    this.isFrozen = false;
    await process?.kill();
  }

  /** Stops it gracefully, as behind a load balancer: nobody is sent there any more, and then it is asked to stop. Returns the exit code. */
  async stop(): Promise<number | null> {
    const process = this.process;
    this.#process = undefined;
    await sleep(deregistrationMs);
    return process.stop();
  }

  freeze(): void {
    this.process.signal('SIGSTOP');
    this.isFrozen = true;
  }

  wake(): void {
    this.process.signal('SIGCONT');
    this.isFrozen = false;
  }
}

/** A real Postgres and real servers on it, each a process of its own with a port of its own, all with the same root keys and settings. */
export class Nodes {
  readonly issuer = issuer;
  readonly all: ServerNode[] = [];
  readonly postgres: TestPostgres;
  readonly #folder: string;
  readonly #proxies: DatabaseProxy[] = [];

  private constructor(postgres: TestPostgres, folder: string) {
    this.postgres = postgres;
    this.#folder = folder;
  }

  /** Starts that many. `config` replaces whole keys of the settings. */
  static async start(count: number, options: NodeOptions = {}, config: Record<string, unknown> = {}): Promise<Nodes> {
    const bin = findPostgres();
    assert.ok(bin, howToInstall);
    const folder = await mkdtemp(join(tmpdir(), 'tessera-nodes-'));
    await writeFile(join(folder, 'tessera.config.json'), JSON.stringify({ ...appsConfig(issuer), ...config }));
    const nodes = new Nodes(await startTestPostgres(bin), folder);
    try {
      await nodes.add(options);
      await Promise.all(Array.from({ length: count - 1 }, () => nodes.add(options)));
      return nodes;
    } catch (error) {
      await nodes.close();
      throw error;
    }
  }

  /** Starts one more, of another version if need be. */
  async add({ proxied = false, args = [], ...options }: NodeOptions = {}): Promise<ServerNode> {
    const proxy = proxied ? await DatabaseProxy.start(this.postgres.socket) : undefined;
    if (proxy) this.#proxies.push(proxy);
    const store = proxy?.connectionString ?? this.postgres.connectionString;
    const node = new ServerNode(this.all.length, proxy, issuer, () =>
      startServerProcess(this.#folder, { ...options, args: ['--port', '0', '--store', store, ...args] }),
    );
    this.all.push(node);
    await node.start();
    return node;
  }

  /** Runs a command of this version (`tessera …`) beside the nodes; what it said. */
  command(...args: readonly string[]): Promise<string> {
    return runCommand(this.#folder, args, { TESSERA_STORE: this.postgres.connectionString });
  }

  /** That node. */
  at(number: number): ServerNode {
    return this.all[number] as ServerNode;
  }

  /** Those that answer, or should. */
  get running(): ServerNode[] {
    return this.all.filter((node) => node.isRunning);
  }

  /** Rows of one statement, past all nodes. */
  query<Row extends Record<string, unknown>>(sql: string): Promise<Row[]> {
    return query<Row>(this.postgres.connectionString, sql);
  }

  /** Sets the machine's clock of the nodes that were started with `skewed-clock.ts`, by that many seconds off. */
  setClock(offsetSeconds: number): Promise<void> {
    return writeFile(join(this.#folder, 'clock-offset'), String(offsetSeconds));
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((node) => node.kill()));
    for (const proxy of this.#proxies) await proxy.close();
    await this.postgres.remove();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

import { StoreNotUsable } from './store-not-usable.ts';

/**
 * One step of the schema. Expand and contract: a step only adds what older code does not mind, and what it makes superfluous is removed by a
 * contraction, once no such code runs. `oldestCode` is the schema version whose code may go on working with the store after this step.
 * Opening a store applies these steps by itself.
 */
export type Migration = { version: number; oldestCode: number; sql: string };

/**
 * Work on many rows that a step leaves behind, done beside running servers. `sql` takes the number of the last row that is done and how many to do, does that many
 * behind it in one statement, and returns their numbers as `no`; none: it is done.
 */
export type BackFill = { name: string; what: string; sql: string };

/**
 * Takes away what older code still used. `number`: contractions count by themselves. `needs`: the schema that every node must know. Done by `tessera migrate --contract`
 * alone, when no older node is connected.
 */
export type Contraction = { number: number; needs: number; what: string; sql: string };

/** All that there is to do to a store, each in its order. */
export type SchemaSteps = {
  migrations: readonly Migration[];
  backFills: readonly BackFill[];
  contractions: readonly Contraction[];
};

/** Where a store stands. `version` 0: none is there yet. */
export type SchemaState = { version: number; contracted: number; backFilled: readonly string[] };

/** A process that is connected to the store, and the schema its code knows. */
export type OtherNode = { address: string; schema: number };

/** What an engine does for its schema. */
export type SchemaDriver = {
  state(): Promise<SchemaState>;
  /** Applies a step unless somebody has. */
  migrate(step: Migration): Promise<void>;
  /** Does the next rows of a back-fill and remembers in the same transaction how far it came. Returns how many it did; 0: it is done. */
  backFill(step: BackFill, rows: number): Promise<number>;
  /** Who else is connected whose code knows an older schema than that. An engine that cannot tell says schema 0 of everybody. */
  olderNodes(than: number): Promise<OtherNode[]>;
  /** The oldest code that may use the store from now on; returns what it was before. */
  setOldestCode(version: number): Promise<number>;
  contract(step: Contraction): Promise<void>;
  close(): Promise<void>;
};

/** What is to be done, in words. `waits`: only with `--contract`. */
export type PlannedStep = { what: string; waits: boolean };

// A slice locks its rows: whoever wants one of them waits no longer than this.
const sliceMs = 100;
const firstRows = 200;
const mostRows = 20_000;

/** What is to be done to the store, without doing it. */
export async function planMigration(driver: SchemaDriver, steps: SchemaSteps): Promise<PlannedStep[]> {
  const { version, contracted, backFilled } = await driver.state();
  return [
    ...steps.migrations
      .filter((step) => step.version > version)
      .map((step) => ({ what: `expand to schema ${step.version}`, waits: false })),
    ...steps.backFills
      .filter(({ name }) => !backFilled.includes(name))
      .map(({ what }) => ({ what: `back-fill: ${what}`, waits: false })),
    ...steps.contractions
      .filter(({ number }) => number > contracted)
      .map(({ what, needs }) => ({ what: `contract: ${what} (every node must know schema ${needs})`, waits: true })),
  ];
}

/**
 * Does what is to be done: expands, then back-fills in slices of less than a tenth of a second; with `contract` takes away what nobody uses any more. Each step is done once, whoever runs it, and one
 * that was cut short goes on where it was. Throws `StoreNotUsable` when an older node is connected that still uses what is to go.
 */
export async function migrateStore(
  driver: SchemaDriver,
  steps: SchemaSteps,
  { contract, onProgress }: { contract: boolean; onProgress: (line: string) => void },
): Promise<void> {
  for (const step of steps.migrations) {
    if (step.version <= (await driver.state()).version) continue;
    onProgress(`schema ${step.version}`);
    await driver.migrate(step);
  }
  const { backFilled, contracted } = await driver.state();
  for (const step of steps.backFills) if (!backFilled.includes(step.name)) await backFillAll(driver, step, onProgress);
  if (!contract) return;
  for (const step of steps.contractions) {
    if (step.number <= contracted) continue;
    onProgress(`contract: ${step.what}`);
    await contractOnce(driver, step);
  }
}

async function backFillAll(driver: SchemaDriver, step: BackFill, onProgress: (line: string) => void): Promise<void> {
  let rows = firstRows;
  for (let total = 0; ; ) {
    const startedMs = performance.now();
    const done = await driver.backFill(step, rows);
    if (done === 0) return;
    total += done;
    onProgress(`${step.what}: ${total} rows`);
    const tookMs = performance.now() - startedMs;
    if (tookMs > sliceMs / 2) rows = Math.max(1, Math.floor(rows / 2));
    else if (tookMs < sliceMs / 8) rows = Math.min(mostRows, rows * 2);
  }
}

async function contractOnce(driver: SchemaDriver, step: Contraction): Promise<void> {
  await refuseOlder(driver, step);
  // Older nodes that start from now on refuse; one that started since we looked is found by looking again.
  const before = await driver.setOldestCode(step.needs);
  try {
    await refuseOlder(driver, step);
  } catch (error) {
    await driver.setOldestCode(before);
    throw error;
  }
  await driver.contract(step);
}

async function refuseOlder(driver: SchemaDriver, { needs, what }: Contraction): Promise<void> {
  const older = await driver.olderNodes(needs);
  if (older.length === 0) return;
  const from = older
    .map(({ address, schema }) => (schema === 0 ? address : `${address} (schema ${schema})`))
    .join(', ');
  throw new StoreNotUsable(
    `nodes are connected that may still use what is to go (${what}): ${from}; replace or stop them, then run tessera migrate --contract again`,
  );
}

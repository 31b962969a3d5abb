import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../tests/free-port.ts';
import { declared } from '../declared.ts';
import { runLoad } from '../load/run-load.ts';
import { describeTarget } from '../load/target.ts';
import { sizesOf, sumOf } from '../measure/store-size.ts';
import { tellProgress } from '../progress.ts';
import { type Row, rowOfFigure } from '../report.ts';
import { startDatabase } from '../subjects/start-database.ts';
import { startSubject } from '../subjects/start-subject.ts';
import { obtainTokens } from './obtain-tokens.ts';
import { rotations } from './refresh.ts';
import type { StoreName } from './scenario.ts';

// As many grants of the one session, so that as many callers can refresh it at once.
const grants = 64;
const parts = 10;

/** So many refreshes of one session, over HTTP: the rows and bytes of the whole store before and after. */
export async function runMillionRefreshes(store: StoreName, within: string, refreshes: number): Promise<Row> {
  const folder = join(within, `refreshes-${store}`);
  mkdirSync(folder, { recursive: true });
  const database = store === 'postgres' ? await startDatabase(folder) : undefined;
  const place = { folder, ...(database && { store: database.connectionString }) };
  try {
    const subject = await startSubject('tessera.ts', { port: await freePort(), sessions: 1, ...place });
    try {
      const target = await describeTarget(subject.issuer, { ...subject, pids: [subject.pid] });
      const tokens = await obtainTokens(target, grants, target.cookies, declared.orders);
      const { operation } = rotations(tokens.map((one) => one.refresh_token));
      const before = sumOf(await sizesOf(place));
      let errors = 0;
      for (let part = 0; part < parts; part++) {
        const limit = { milliseconds: Number.POSITIVE_INFINITY, operations: refreshes / parts };
        errors += (await runLoad(target, grants, limit, operation)).errors;
        tellProgress(`  ${((part + 1) * refreshes) / parts} of ${refreshes} refreshes`);
      }
      const after = sumOf(await sizesOf(place));
      return {
        ...rowOfFigure({ scenario: 'million_refreshes', store, subject: 'tessera' }, 'rows', after.rows, {
          refreshes,
          grants,
          rows_before: before.rows,
          bytes_before: before.bytes,
          bytes_after: after.bytes,
        }),
        errors,
      };
    } finally {
      await subject.stop();
    }
  } finally {
    await database?.remove();
  }
}

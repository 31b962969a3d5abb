import type { Demand } from './demand.ts';
import type { Figures, Workload } from './figures.ts';
import { storageOf } from './storage.ts';
import { bytes, short, table } from './table.ts';

const pageBytes = 8192;
const secondsADay = 86_400;
/** Indexes of events on random keys (user, session, grant), and indexes of sessions and grants likewise. */
const randomIndexesOfEvents = 3;
const randomIndexesOfBirths = 4;

/** How Postgres writes its log. */
export type LogSettings = { checkpointMinutes: number; compressed: boolean };

/** Bytes a second of write-ahead log; `images`: those of whole pages; `imagesARotation`: how many a rotation causes. */
export type LogVolume = { records: number; images: number; total: number; imagesARotation: number };

/**
 * The write-ahead log at so many times the average load. The first change of a page after a checkpoint logs the whole page. Rotations come at random among all grants, so nearly each meets a
 * page of its own: n changes on P pages touch P(1 − e^(−n/P)) of them.
 */
export function logVolumeOf(
  demand: Demand,
  figures: Figures,
  workload: Workload,
  settings: LogSettings,
  times = 1,
): LogVolume {
  const seconds = settings.checkpointMinutes * 60;
  const image = settings.compressed ? figures.pageImageCompressedBytes : figures.pageImageBytes;
  const rotations = demand.refreshes * times;
  const births = (demand.sessionBirths + demand.grantBirths) * times;
  const events = demand.events * times;
  const storage = storageOf(demand, figures, workload);
  const touched = (perSecond: number, ofBytes: number) =>
    distinctPages(perSecond * seconds, ofBytes / pageBytes) / seconds;
  const stateImages = touched(rotations, storage.states);
  // A day's partition of the event log has indexes of its own; half of it is there on the mean.
  const eventImages = randomIndexesOfEvents * touched(events, (storage.eventsADay / 2) * 0.08);
  const birthImages = randomIndexesOfBirths * touched(births, storage.sessions * 0.1);
  const records =
    rotations * (figures.rotationLogBytes + workload.use.refreshesWithDpop * figures.dpopLogBytes) +
    times *
      (demand.signIns * figures.signInLogBytes +
        demand.furtherCodes * figures.codeLogBytes +
        demand.originChanges * (figures.eventLogBytes + figures.dpopLogBytes) +
        demand.endings * (figures.endingLogBytes + figures.sweepLogBytes));
  const images = (stateImages + eventImages + birthImages) * image;
  return { records, images, total: records + images, imagesARotation: stateImages / rotations };
}

/** How many of so many pages are touched by changes that come at random. */
export function distinctPages(changes: number, pages: number): number {
  return pages * (1 - Math.exp(-changes / pages));
}

/** The log by size, a day and at the peak, and what backups keep of it. */
export function logTable(demands: readonly Demand[], figures: Figures, workload: Workload): string {
  const { operation, use, keeping } = workload;
  const settings = { checkpointMinutes: operation.checkpointMinutes, compressed: true };
  const each = (cell: (demand: Demand) => string) => demands.map(cell);
  const day = (demand: Demand, compressed: boolean) =>
    logVolumeOf(demand, figures, workload, { ...settings, compressed }).total * secondsADay;
  return table(
    [`checkpoints every ${operation.checkpointMinutes} min`, ...demands.map(({ users }) => `${short(users)} users`)],
    [
      ['a day, `wal_compression=off`', ...each((demand) => bytes(day(demand, false)))],
      ['a day, `wal_compression=lz4`', ...each((demand) => bytes(day(demand, true)))],
      [
        'a second at peak, off',
        ...each((demand) =>
          bytes(logVolumeOf(demand, figures, workload, { ...settings, compressed: false }, use.peakOverAverage).total),
        ),
      ],
      [
        'a second at peak, lz4',
        ...each((demand) => bytes(logVolumeOf(demand, figures, workload, settings, use.peakOverAverage).total)),
      ],
      [
        `backups: ${keeping.fullBackups} full ones, ${keeping.logBackupDays} days of log (lz4)`,
        ...each((demand) =>
          bytes(
            keeping.fullBackups * storageOf(demand, figures, workload).total +
              keeping.logBackupDays * day(demand, true),
          ),
        ),
      ],
    ],
  );
}

/** What the time between checkpoints does at one size. */
export function checkpointTable(demand: Demand, figures: Figures, workload: Workload): string {
  return table(
    [
      'minutes between checkpoints',
      'page images a rotation',
      'log a second at peak, off',
      'lz4',
      'log to replay after a crash, at most, lz4',
    ],
    [5, 15, 30, 60].map((checkpointMinutes) => {
      const at = (compressed: boolean) =>
        logVolumeOf(demand, figures, workload, { checkpointMinutes, compressed }, workload.use.peakOverAverage);
      const compressed = at(true);
      return [
        `${checkpointMinutes}`,
        short(compressed.imagesARotation),
        bytes(at(false).total),
        bytes(compressed.total),
        bytes(compressed.total * checkpointMinutes * 60),
      ];
    }),
  );
}

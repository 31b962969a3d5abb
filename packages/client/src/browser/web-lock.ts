import type { Exclusively } from '../core/index.ts';

/** Longer than a refresh with all its retries takes; a tab that holds the lock beyond that is stuck. */
const longestWaitMs = 20_000;

/**
 * Runs work in one tab of this origin at a time (Web Locks). Where the browser has none, or the holder is stuck, the work runs all the same: a refresh done
 * twice is answered with the same successor by the server's retry window, while one never done signs the user out.
 */
export function webLock(name: string, locks: LockManager | undefined = globalThis.navigator?.locks): Exclusively {
  if (locks === undefined) return (work) => work();
  return async (work) => {
    let hasLock = false;
    const workWithLock = () => {
      hasLock = true;
      return work();
    };
    try {
      // The signal ends the waiting only; once the lock is had it has no effect.
      return await locks.request(name, { signal: AbortSignal.timeout(longestWaitMs) }, workWithLock);
    } catch (error) {
      if (hasLock) throw error;
      return work();
    }
  };
}

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until that holds; what does not come within `withinMs` fails. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  withinMs = 20_000,
  what = () => String(holds),
): Promise<void> {
  const startedMs = performance.now();
  while (!(await holds())) {
    assert.ok(performance.now() - startedMs < withinMs, `waited ${withinMs} ms in vain for: ${what()}`);
    await sleep(25);
  }
}

/** Whether a process runs, frozen ones included. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

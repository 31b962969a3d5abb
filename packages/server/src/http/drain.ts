import type { Server } from 'node:http';
import { Server as ListeningServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long, in milliseconds, requests under way may take when the server stops. */
const drainMs = 10_000;

/**
 * Stops taking connections and resolves when what is under way is answered, or given up after ten seconds. `lingerMs`: how long idle connections stay open before, in milliseconds. A proxy
 * may have sent a request on one just then; cut off it cannot know whether that was carried out, and answers 502. The caller has each answer of that time close its connection
 * (RFC 9112 section 9.6).
 */
export async function drain(http: Server, lingerMs: number): Promise<void> {
  if (!http.listening) return;
  const closed = new Promise<void>((resolve) => http.once('close', resolve));
  const done = new AbortController();
  const { signal } = done;
  void closed.then(() => done.abort());
  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => undefined);
  if (lingerMs > 0) {
    // The close of node:http would end idle connections at once.
    ListeningServer.prototype.close.call(http);
    await pause(lingerMs);
  }
  if (!signal.aborted) {
    http.close();
    http.closeIdleConnections();
    await pause(drainMs - lingerMs);
  }
  http.closeAllConnections();
  await closed;
}

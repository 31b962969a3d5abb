import { createServer } from 'node:net';

// Below what systems give to connections that go out and to listeners that take any port (Linux from 32768, others from 49152): there a port that was free a moment ago may be
// taken by any of the connections beside it. Each process begins elsewhere, so that those that run beside each other don't choose the same.
const first = 11_000;
const count = 21_000;
let next = (process.pid * 97) % count;

/** A port of this machine that nobody listens on, and that nobody is given who doesn't name it. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < count; tries++) {
    const port = first + next;
    next = (next + 1) % count;
    if (await isFree(port)) return port;
  }
  throw new Error(`no port between ${first} and ${first + count} is free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, () => probe.close(() => resolve(true)));
  });
}

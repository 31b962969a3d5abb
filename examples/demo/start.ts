// What `npm start` runs: four programs on this machine, and a page that shows what they do.
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDemoApp } from './app/app-server.ts';
import { banner } from './banner.ts';
import { isPortFree } from './local-http.ts';
import { createNotesApp } from './notes/notes-app.ts';
import { endWhenTold, startPart, stopPart } from './process-life.ts';
import { type DemoSettings, type Part, parts, readSecrets, readSettings } from './settings.ts';

const longestStartMs = 30_000;
const running: { close(): Promise<void> }[] = [];
const children: ChildProcess[] = [];
let isStopping = false;

endWhenTold(stop, { hasLauncher: process.env.TESSERA_LAUNCHED === '1', signals: ['SIGINT', 'SIGTERM', 'SIGHUP'] });
try {
  await start(readSettings(process.env));
} catch (error) {
  if (!isStopping) {
    console.error(error instanceof RangeError ? `The demo cannot start: ${error.message}.` : error);
    await stop();
    process.exit(1);
  }
}

async function start(settings: DemoSettings): Promise<void> {
  await refuseTakenPorts(settings);
  const secrets = readSecrets(settings);
  startChild('server', 'server-process.ts');
  await answers(`${settings.issuer}/ready`);
  startChild('api', 'api/process.ts');
  const apps = [
    ['app', await createDemoApp(settings, secrets)],
    ['notes', createNotesApp(settings, secrets)],
  ] as const;
  for (const [part, app] of apps) {
    if (isStopping) return;
    running.push(app);
    await app.listen(settings.ports[part]);
  }
  await Promise.all(
    [settings.issuer, settings.api, settings.app, settings.notes].map((one) => answers(`${one}/health`)),
  );
  if (!isStopping) console.log(banner(settings));
}

async function refuseTakenPorts({ ports }: DemoSettings): Promise<void> {
  const taken: Part[] = [];
  for (const part of Object.keys(parts) as Part[]) if (!(await isPortFree(ports[part]))) taken.push(part);
  if (taken.length === 0) return;
  const lines = taken.map((part) => `  port ${ports[part]}, for ${parts[part].name}`);
  const change = taken.map((part) => `${parts[part].variable}=${ports[part] + 100}`).join(' ');
  console.error(
    `The demo cannot start: something else listens on\n${lines.join('\n')}\nIs the demo running already? If not, stop what is there, or choose other ports:\n  ${change} npm start`,
  );
  process.exit(1);
}

function startChild(part: Part, program: string): void {
  const child = startPart(program);
  children.push(child);
  child.once('exit', (code, signal) => {
    if (isStopping) return;
    console.error(`${parts[part].name} ended by itself (${signal ?? `code ${code}`}), so the demo ends too.`);
    void stop().then(() => process.exit(1));
  });
}

/** Waits until an address answers with success. */
async function answers(url: string): Promise<void> {
  const giveUpAt = Date.now() + longestStartMs;
  for (let pauseMs = 20; !isStopping; pauseMs = Math.min(250, pauseMs * 1.5)) {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    if (response?.ok) return;
    if (Date.now() > giveUpAt) throw new RangeError(`${url} did not answer within ${longestStartMs / 1000} s`);
    await sleep(pauseMs);
  }
}

/** Ends everything; the server last, so that nobody misses it. */
async function stop(): Promise<void> {
  isStopping = true;
  await Promise.all([...running.map((app) => app.close()), ...children.slice(1).map(stopPart)]);
  await Promise.all(children.map(stopPart));
}

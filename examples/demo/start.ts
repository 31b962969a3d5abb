// What `npm start` runs: four programs on this machine, and a page that shows what they do.
import type { ChildProcess } from 'node:child_process';
import { enableCompileCache } from 'node:module';
import { banner } from './banner.ts';
import { isPortFree, untilAnswered } from './local-http.ts';
import { compileCache, endWhenTold, startPart, stopPart } from './process-life.ts';
import { type DemoSettings, type Part, parts, readSecrets, readSettings } from './settings.ts';

const running: { close(): Promise<void> }[] = [];
const children: ChildProcess[] = [];
let isStopping = false;

// What Node made of the sources is kept, so that the next start is quicker.
enableCompileCache(compileCache);
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
  startChild('api', 'api/process.ts');
  // Loaded while the two begin: reading all this code takes as long as they do.
  const [{ createDemoApp }, { createNotesApp }] = await Promise.all([
    import('./app/app-server.ts'),
    import('./notes/notes-app.ts'),
  ]);
  const apps = [
    ['app', await createDemoApp(settings, secrets)],
    ['notes', createNotesApp(settings, secrets)],
  ] as const;
  await untilAnswered(`${settings.issuer}/ready`);
  for (const [part, app] of apps) {
    if (isStopping) return;
    running.push(app);
    await app.listen(settings.ports[part]);
  }
  const origins = [settings.issuer, settings.api, settings.app, settings.notes];
  await Promise.all(origins.map((origin) => untilAnswered(`${origin}/health`)));
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

/** Ends everything; the server last, so that nobody misses it. */
async function stop(): Promise<void> {
  isStopping = true;
  await Promise.all([...running.map((app) => app.close()), ...children.slice(1).map(stopPart)]);
  await Promise.all(children.map(stopPart));
}

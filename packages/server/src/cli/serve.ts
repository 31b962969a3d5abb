import { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { readConfig } from '../config/read-config.ts';
import { type Register, wholeNumber } from './command.ts';
import { lingerMs } from './linger.ts';
import { explainListen } from './listen-failure.ts';
import { count } from './output.ts';
import type { Terminal } from './terminal.ts';

type ServeOptions = {
  config?: string;
  data?: string;
  store?: string;
  workers?: number | string;
  port?: number | string;
  host?: string;
  issuer?: string;
};

/** `tessera serve`: runs the server until it is asked to stop. */
export const register: Register = (program, terminal) => {
  program.addCommand(
    new Command('serve')
      .description('Run the server until it is told to stop (Ctrl-C, SIGTERM)')
      .option('--config <file>', 'the configuration file (default: tessera.config.* here)')
      .option('--data <folder>', 'the data folder: the store and the root keys')
      .option('--store <url>', 'a Postgres database for the store; with a password rather set TESSERA_STORE')
      .option('--workers <number>', 'how many processes serve the port', wholeNumber)
      .option('--port <number>', 'the port to listen on', wholeNumber)
      .option('--host <address>', 'the address to listen on')
      .option('--issuer <url>', 'the issuer: the URL under which all can reach this server')
      .action((options: ServeOptions) => serve(terminal, options)),
  );
};

async function serve(terminal: Terminal, { config: file, ...overrides }: ServeOptions): Promise<void> {
  let isStopping = false;
  let stop: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  // Heard from the first moment on: whoever stops a server that is still starting wants it stopped too.
  const endListening = terminal.onStop(() => {
    isStopping = true;
    stop();
  });
  try {
    const config = await readConfig({
      env: terminal.env,
      cwd: terminal.cwd,
      overrides: overrides as { port?: number; workers?: number },
      ...(file === undefined ? {} : { file }),
    });
    const running = await start(config, terminal);
    try {
      for (const line of startLines(config, running)) terminal.out(line);
      terminal.out(`Ready: ${config.issuer}`);
      await stopped;
      terminal.out('Stopping: answering what is under way …');
    } finally {
      await running.stop();
    }
    terminal.out('Stopped.');
  } finally {
    if (!isStopping) endListening();
  }
}

/** A server that is ready: where it listens, and the processes of it if there are several. */
type Running = { url: string; pids?: number[]; stop(): Promise<void> };

async function start(config: Config, terminal: Terminal): Promise<Running> {
  if (config.workers > 1) return (await import('./workers/primary.ts')).startWorkers(config, terminal.err);
  const { createServer } = await import('../server.ts');
  const server = await createServer({ config });
  try {
    const { url } = await server.listen();
    return { url, stop: () => server.close({ lingerMs }) };
  } catch (error) {
    await server.close();
    throw explainListen(error, config);
  }
}

function startLines(config: Config, { url, pids }: Running): string[] {
  const { clients, resourceServers, users } = config;
  const declared = `${count(clients.length, 'app')}, ${count(resourceServers.length, 'resource server')}, ${count(users.length, 'user')}`;
  return [
    'Tessera',
    `  listens on  ${url}`,
    ...(pids === undefined ? [] : [`  workers     pid ${pids.join(', ')}`]),
    `  data        ${config.data}`,
    // Without the URL: it may hold a password.
    ...(config.store === undefined ? [] : ['  store       Postgres']),
    `  declared    ${declared}`,
    `  metadata    ${config.issuer}/.well-known/openid-configuration`,
    `  admin API   ${config.issuer}/admin/api/openapi.json`,
  ];
}

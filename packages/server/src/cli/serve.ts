import { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { readConfig } from '../config/read-config.ts';
import { type Register, wholeNumber } from './command.ts';
import { CommandFailure } from './failure.ts';
import { count } from './output.ts';
import type { Terminal } from './terminal.ts';

type ServeOptions = {
  config?: string;
  data?: string;
  store?: string;
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
      overrides: overrides as { port?: number },
      ...(file === undefined ? {} : { file }),
    });
    const { createServer } = await import('../server.ts');
    const server = await createServer({ config });
    try {
      const { url } = await server.listen().catch((error: unknown) => Promise.reject(explainListen(error, config)));
      for (const line of startLines(config, url)) terminal.out(line);
      terminal.out(`Ready: ${config.issuer}`);
      await stopped;
      terminal.out('Stopping: answering what is under way …');
    } finally {
      await server.close();
    }
    terminal.out('Stopped.');
  } finally {
    if (!isStopping) endListening();
  }
}

function startLines(config: Config, url: string): string[] {
  const { clients, resourceServers, users } = config;
  const declared = `${count(clients.length, 'app')}, ${count(resourceServers.length, 'resource server')}, ${count(users.length, 'user')}`;
  return [
    'Tessera',
    `  listens on  ${url}`,
    `  data        ${config.data}`,
    // Without the URL: it may hold a password.
    ...(config.store === undefined ? [] : ['  store       Postgres']),
    `  declared    ${declared}`,
    `  metadata    ${config.issuer}/.well-known/openid-configuration`,
    `  admin API   ${config.issuer}/admin/api/openapi.json`,
  ];
}

function explainListen(error: unknown, { listen: { host, port } }: Config): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    return new CommandFailure(
      `port ${port} on ${host} is in use by another program; stop it, or choose another with --port`,
    );
  if (code === 'EACCES')
    return new CommandFailure(
      `port ${port} on ${host} may not be used by this user; choose one above 1023 with --port`,
    );
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new CommandFailure(`${host} is not an address of this machine; choose another with --host`);
  return error;
}

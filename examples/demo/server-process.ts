// The server, in a process of its own. An operator runs the same with `tessera serve` and a configuration file.
import { createServer, parseConfig } from '@tessera/server';
import { endWithLauncher } from './process-life.ts';
import { readSecrets, readSettings } from './settings.ts';
import { demoConfig } from './tessera.config.ts';

const settings = readSettings(process.env);
const server = await createServer({ config: parseConfig(demoConfig(settings, readSecrets(settings))) });
endWithLauncher(() => server.close());
await server.listen();

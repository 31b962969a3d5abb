import { Command } from 'commander';
import { readConfig } from '../config/read-config.ts';
import type { Register } from './command.ts';
import { count } from './output.ts';
import type { Terminal } from './terminal.ts';

/** `tessera check`: reads the configuration and says all that is wrong with it. */
export const register: Register = (program, terminal) => {
  program.addCommand(
    new Command('check')
      .description('Check the configuration without starting anything')
      .option('--config <file>', 'the configuration file (default: tessera.config.* here)')
      .action((options: { config?: string }) => check(terminal, options)),
  );
};

async function check(terminal: Terminal, { config: file }: { config?: string }): Promise<void> {
  const { issuer, clients, resourceServers, users } = await readConfig({
    env: terminal.env,
    cwd: terminal.cwd,
    ...(file === undefined ? {} : { file }),
  });
  terminal.out(
    `✓ the configuration is right: issuer ${issuer}, ${count(clients.length, 'app')}, ${count(resourceServers.length, 'resource server')}, ${count(users.length, 'user')}`,
  );
}

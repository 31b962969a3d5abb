import { type Register, storeCommand } from './command.ts';
import { readStoreConfig, type StoreOptions } from './command-context.ts';
import { count, print } from './output.ts';
import type { Terminal } from './terminal.ts';

/** `tessera check`: reads the configuration and says all that is wrong with it. */
export const register: Register = (program, terminal) => {
  program.addCommand(
    storeCommand('check', 'Check the configuration without starting anything').action((options: StoreOptions) =>
      check(terminal, options),
    ),
  );
};

async function check(terminal: Terminal, options: StoreOptions): Promise<void> {
  const { issuer, clients, resourceServers, users } = await readStoreConfig(terminal, options);
  const found = { issuer, clients: clients.length, resourceServers: resourceServers.length, users: users.length };
  print(
    terminal,
    options,
    found,
    () =>
      `✓ the configuration is right: issuer ${issuer}, ${count(found.clients, 'app')}, ${count(found.resourceServers, 'resource server')}, ${count(found.users, 'user')}`,
  );
}

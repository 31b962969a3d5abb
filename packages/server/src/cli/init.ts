import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { fileNames as configFileNames } from '../config/config-file.ts';
import { configTemplate } from '../config/template.ts';
import { issuerProblem } from '../config/url-rules.ts';
import type { Register } from './command.ts';
import { CommandFailure } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** `tessera init`: writes a commented configuration file. */
export const register: Register = (program, terminal) => {
  program.addCommand(
    new Command('init')
      .description('Write a commented configuration file to begin with')
      .argument('[file]', 'where to write it (.yaml or .yml)', 'tessera.config.yaml')
      .option('--issuer <url>', 'the URL under which all will reach this server', 'http://localhost:8080')
      .action((file: string, options: { issuer: string }) => init(terminal, file, options.issuer)),
  );
};

async function init(terminal: Terminal, name: string, issuer: string): Promise<void> {
  const file = resolve(terminal.cwd, name);
  if (!['.yaml', '.yml'].includes(extname(file)))
    throw new CommandFailure(`expected a file that ends with .yaml or .yml, got "${name}"`, 2);
  const wrong = issuerProblem(issuer);
  if (wrong !== undefined) throw new CommandFailure(`--issuer: ${wrong}`, 2);
  const folder = dirname(file);
  const others = configFileNames.filter((one) => one !== basename(file) && existsSync(join(folder, one)));
  // Two of the usual names side by side are refused by every command, a server's next start included.
  if (configFileNames.includes(basename(file)) && others.length > 0)
    throw new CommandFailure(`${join(folder, others[0] ?? '')} is there already; name another file to begin with`);
  try {
    // It may come to hold secrets, so nobody else reads it.
    await writeFile(file, configTemplate({ issuer }), { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new CommandFailure(`${file} is there already; it was not touched`);
    // What a full disk took of it would be in the way of the next try.
    await rm(file, { force: true }).catch(() => undefined);
    throw new CommandFailure(`${file} cannot be written (${code ?? 'error'}); choose another place`);
  }
  const configOption = name === 'tessera.config.yaml' ? '' : ` --config ${name}`;
  terminal.out(`Wrote ${file}`);
  terminal.out('Next:');
  terminal.out(`  tessera user add ada --role admin${configOption}`);
  terminal.out(`  tessera serve${configOption}`);
}

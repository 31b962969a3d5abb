import { writeFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { Command } from 'commander';
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
  try {
    // It may come to hold secrets, so nobody else reads it.
    await writeFile(file, configTemplate({ issuer }), { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new CommandFailure(`${file} is there already; it was not touched`);
    throw new CommandFailure(`${file} cannot be written (${code ?? 'error'}); choose another place`);
  }
  const configOption = name === 'tessera.config.yaml' ? '' : ` --config ${name}`;
  terminal.out(`Wrote ${file}`);
  terminal.out('Next:');
  terminal.out(`  tessera user add ada --role admin${configOption}`);
  terminal.out(`  tessera serve${configOption}`);
}

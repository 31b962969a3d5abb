import { Command } from 'commander';
import type { Terminal } from './terminal.ts';

/** Adds a command and what is below it to the program. */
export type Register = (program: Command, terminal: Terminal) => void;

/** A command with the options that all commands on a store have. */
export function storeCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--config <file>', 'the configuration file (default: tessera.config.* here)')
    .option('--data <folder>', 'the data folder: the embedded store and the root keys')
    .option('--store <url>', 'the Postgres database of the store; with a password rather set TESSERA_STORE')
    .option('--json', 'print JSON, for programs');
}

/** Collects an option that may come several times. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Reads a whole number option; anything else stays as it is, for the schema to refuse. */
export function wholeNumber(value: string): number | string {
  return /^-?\d{1,15}$/.test(value) ? Number(value) : value;
}

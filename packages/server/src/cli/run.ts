import { Command, CommanderError } from 'commander';
import { version } from '../version.ts';
import type { Register } from './command.ts';
import { describeFailure } from './failure.ts';
import { toJson } from './output.ts';
import type { Terminal } from './terminal.ts';

/** All commands, each loaded only when it is called: starting must stay quick. */
const commands: Record<string, () => Promise<{ register: Register }>> = {
  serve: () => import('./serve.ts'),
  init: () => import('./init.ts'),
  check: () => import('./check.ts'),
  user: () => import('./user.ts'),
  client: () => import('./client.ts'),
  session: () => import('./session.ts'),
  grant: () => import('./grant.ts'),
  keys: () => import('./keys.ts'),
  events: () => import('./events.ts'),
  refusal: () => import('./refusal.ts'),
  backup: () => import('./backup.ts'),
  restore: () => import('./restore.ts'),
  move: () => import('./move.ts'),
  migrate: () => import('./migrate.ts'),
  doctor: () => import('./doctor.ts'),
};

/** Runs a command line. Returns the exit code: 0 done, 1 could not be done, 2 called wrongly. */
export async function run(line: readonly string[], terminal: Terminal): Promise<number> {
  const program = new Command('tessera').description(
    'An OAuth 2.1 and OpenID Connect server that keeps a live session behind every token.',
  );
  program.version(version, '-v, --version', 'Say which version this is');
  const [name = ''] = line;
  const load = Object.hasOwn(commands, name) ? [commands[name]] : Object.values(commands);
  for (const one of load) (await one?.())?.register(program, terminal);
  const isJson = line.includes('--json');
  forEachCommand(program, (command, path) => {
    command.exitOverride();
    if (!isJson) command.showHelpAfterError(`(${path} --help tells what there is)`);
    command.helpCommand(false);
    command.configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => {
        const words = text.trimEnd();
        terminal.err(isJson ? toJson({ error: words.replace(/^error: /, '') }) : words);
      },
    });
  });
  try {
    if (line.length === 0) program.outputHelp();
    else await program.parseAsync([...line], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { message, exitCode, details } = describeFailure(error);
    if (isJson) terminal.err(toJson({ error: message, ...details }));
    else terminal.err(`✗ ${message}`);
    return exitCode;
  }
}

function forEachCommand(
  command: Command,
  visit: (command: Command, path: string) => void,
  path: string = command.name(),
): void {
  visit(command, path);
  for (const child of command.commands) forEachCommand(child, visit, `${path} ${child.name()}`);
}

import type { Config } from '../config/config.ts';
import { type Register, storeCommand } from './command.ts';
import { readStoreConfig, type StoreOptions } from './command-context.ts';
import { checkDataFolder, checkRootKeys, checkSigningKeys, checkStore } from './doctor-data.ts';
import { checkHttps, checkIssuer, checkPort } from './doctor-network.ts';
import { CommandFailure, describeFailure } from './failure.ts';
import { print } from './output.ts';
import type { Terminal } from './terminal.ts';

/** What one check came to. `todo`: what to do when it is wrong. `skipped`: it could not be asked, and why. */
export type Finding = { check: string; state: 'ok' | 'wrong' | 'skipped'; detail: string; todo?: string };

/** A check of a configuration that could be read. */
export type Check = (terminal: Terminal, config: Config) => Promise<Omit<Finding, 'check'>> | Omit<Finding, 'check'>;

/** The checks, in the order in which one would mend things. */
const checks: readonly (readonly [string, Check])[] = [
  ['data folder', checkDataFolder],
  ['root keys', checkRootKeys],
  ['store', checkStore],
  ['clock', checkClock],
  ['signing keys', checkSigningKeys],
  ['https', checkHttps],
  ['port', checkPort],
  ['issuer', checkIssuer],
];

/** `tessera doctor`: looks at everything a server needs, and says what to do. Changes nothing. */
export const register: Register = (program, terminal) => {
  program.addCommand(
    storeCommand('doctor', 'Look at everything the server needs, and say what to do; changes nothing').action(
      (options: StoreOptions) => examine(terminal, options),
    ),
  );
};

async function examine(terminal: Terminal, options: StoreOptions): Promise<void> {
  const findings: Finding[] = [checkNode()];
  const config = await readSettings(terminal, options, findings);
  if (config) for (const [check, run] of checks) findings.push({ check, ...(await settle(run, terminal, config)) });
  print(terminal, options, { findings }, () => findings.map(inWords));
  const wrong = findings.filter(({ state }) => state === 'wrong').length;
  if (wrong > 0) throw new CommandFailure(`${wrong} of ${findings.length} checks failed`);
}

function inWords({ check, state, detail, todo }: Finding): string {
  const mark = { ok: '✓', wrong: '✗', skipped: '–' }[state];
  return `${mark} ${check}: ${detail}${todo === undefined ? '' : `\n    → ${todo}`}`;
}

async function settle(run: Check, terminal: Terminal, config: Config): Promise<Omit<Finding, 'check'>> {
  try {
    return await run(terminal, config);
  } catch (error) {
    return { state: 'wrong', detail: describeFailure(error).message };
  }
}

function checkNode(): Finding {
  const found = process.versions.node;
  if (Number(found.split('.')[0]) >= 24) return { check: 'Node', state: 'ok', detail: found };
  return { check: 'Node', state: 'wrong', detail: `is ${found}`, todo: 'install Node 24 or later' };
}

async function readSettings(
  terminal: Terminal,
  options: StoreOptions,
  findings: Finding[],
): Promise<Config | undefined> {
  const check = 'configuration';
  try {
    const config = await readStoreConfig(terminal, options);
    findings.push({ check, state: 'ok', detail: `issuer ${config.issuer}` });
    return config;
  } catch (error) {
    const { message } = describeFailure(error);
    findings.push({ check, state: 'wrong', detail: message, todo: 'mend these, or begin with: tessera init' });
    return undefined;
  }
}

/** A clock that is far off makes tokens that nobody accepts. Only what nothing else explains is called wrong. */
function checkClock(terminal: Terminal): Omit<Finding, 'check'> {
  const now = new Date(terminal.nowMs());
  // No store is older than this program.
  if (now.getUTCFullYear() >= 2025) return { state: 'ok', detail: now.toISOString() };
  return { state: 'wrong', detail: `says ${now.toISOString()}`, todo: 'set it, and keep it right with NTP' };
}

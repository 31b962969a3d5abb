import type { Config } from '../config/config.ts';
import { CommandFailure } from './failure.ts';

/** The failure to listen in words for the person at the terminal; anything else as it came. */
export function explainListen(error: unknown, { listen: { host, port } }: Pick<Config, 'listen'>): unknown {
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

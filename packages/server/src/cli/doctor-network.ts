import { createServer } from 'node:net';
import { isLoopbackHost } from '@tessera/protocol';
import type { Config } from '../config/config.ts';
import type { Check } from './doctor.ts';

const patienceMs = 3000;

/** The issuer is https, or this machine alone. */
export const checkHttps: Check = (_terminal, { issuer }) => {
  const { protocol, hostname } = new URL(issuer);
  if (protocol === 'https:') return { state: 'ok', detail: issuer };
  return isLoopbackHost(hostname)
    ? { state: 'ok', detail: `${issuer} is http on loopback: for development only` }
    : { state: 'wrong', detail: `${issuer} is http`, todo: 'use https, behind a proxy that ends TLS' };
};

/** The port is free, or this server itself has it. */
export const checkPort: Check = async (_terminal, config) => {
  const { host, port } = config.listen;
  const code = port === 0 ? undefined : await tryListen(host, port);
  if (code === undefined) return { state: 'ok', detail: `${port} on ${host} is free: the server is not running` };
  if (code === 'EADDRINUSE' && (await isServing(config)))
    return { state: 'ok', detail: `${port} on ${host} is this server, running` };
  const todo =
    code === 'EADDRINUSE'
      ? 'stop the program that has it, or set listen.port'
      : 'set listen.host to an address of this machine and listen.port to one above 1023';
  return { state: 'wrong', detail: `${port} on ${host} cannot be had (${code})`, todo };
};

/** The issuer can be reached under its own name and says the same name. Asked only while the server runs. */
export const checkIssuer: Check = async (_terminal, config) => {
  const { issuer } = config;
  if (!(await isServing(config))) return { state: 'skipped', detail: 'the server is not running' };
  try {
    const answer = await fetch(`${issuer}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(patienceMs),
    });
    const metadata = answer.ok ? ((await answer.json()) as { issuer?: unknown }) : undefined;
    if (metadata?.issuer === issuer) return { state: 'ok', detail: `${issuer} answers, and says that name` };
    const said = metadata
      ? `says its name is ${JSON.stringify(metadata.issuer)}`
      : `answers with status ${answer.status}`;
    return { state: 'wrong', detail: `${issuer} ${said}`, todo: 'make the proxy lead there to this server' };
  } catch (cause) {
    const { name, cause: inner } = cause as Error & { cause?: { code?: string } };
    return {
      state: 'wrong',
      detail: `${issuer} cannot be reached from here (${inner?.code ?? name})`,
      todo: 'look at the name in DNS, the proxy and its certificate',
    };
  }
};

async function isServing({ issuer, listen: { host, port } }: Config): Promise<boolean> {
  const reachable =
    host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  const base = new URL(issuer).pathname.replace(/\/$/, '');
  try {
    const answer = await fetch(`http://${reachable}:${port}${base}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(patienceMs),
    });
    return ((await answer.json()) as { issuer?: unknown }).issuer === issuer;
  } catch {
    return false;
  }
}

function tryListen(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}

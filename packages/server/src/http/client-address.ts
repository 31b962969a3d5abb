import { BlockList, isIP } from 'node:net';
import { isLoopbackHost } from '@tessera/protocol';

/** Finds a request's real address behind trusted reverse proxies. */
export type ClientAddress = (peer: string, forwardedFor: string | undefined) => string;

/**
 * Makes the reader of `X-Forwarded-For`: from the right, the first address that is not a trusted proxy. Addresses further left were written by whoever
 * came, and are never believed; without trusted proxies the header is ignored. `trusted`: addresses and CIDR ranges. `onStranger`: told once, of the first one whose header is ignored.
 */
export function createClientAddress(trusted: readonly string[], onStranger?: (peer: string) => void): ClientAddress {
  let tell = onStranger;
  const proxies = new BlockList();
  for (const range of trusted) {
    const [address, prefix] = range.split('/') as [string, string?];
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) proxies.addAddress(address, family);
    else proxies.addSubnet(address, Number(prefix), family);
  }
  const isTrusted = (address: string) =>
    isIP(address) !== 0 && proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return (peer, forwardedFor) => {
    let address = unmapped(peer);
    if (forwardedFor === undefined) return address;
    if (!isTrusted(address)) {
      tell?.(address);
      tell = undefined;
      return address;
    }
    const chain = forwardedFor.split(',').map((part) => unmapped(part.trim()));
    do {
      const next = chain.pop();
      if (next === undefined || isIP(next) === 0) break;
      address = next;
    } while (isTrusted(address));
    return address;
  };
}

/** Whether a request comes from this machine, also by what proxies say of it, be they trusted or not. */
export function isFromHere(ip: string, forwardedFor: string | undefined): boolean {
  const claimed = forwardedFor?.split(',').map((part) => unmapped(part.trim())) ?? [];
  return [ip, ...claimed].every((address) => isLoopbackHost(address));
}

/** The source that failures are counted for: an IPv4 address, or the /64 of an IPv6 one, which is what one subscriber is given. */
export function sourceOf(ip: string): string {
  if (isIP(ip) !== 6) return ip;
  const [head = '', tail] = ip.split('%')[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined ? left : [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

function unmapped(address: string): string {
  return /^::ffff:[\d.]+$/i.test(address) ? address.slice(7) : address;
}

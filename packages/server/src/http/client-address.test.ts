import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createClientAddress, sourceOf } from './client-address.ts';

describe("a request's address behind proxies", () => {
  type Case = { name: string; trusted: string[]; peer: string; forwarded: string | undefined; expected: string };
  const proxies = ['10.0.0.0/8', '192.0.2.1', '2001:db8:1::/48'];
  const cases: Case[] = [
    {
      name: 'without trusted proxies the header is ignored',
      trusted: [],
      peer: '10.0.0.1',
      forwarded: '203.0.113.9',
      expected: '10.0.0.1',
    },
    {
      name: 'a peer that is no proxy is the client, whatever it writes',
      trusted: proxies,
      peer: '198.51.100.1',
      forwarded: '203.0.113.9',
      expected: '198.51.100.1',
    },
    {
      name: 'a proxy without the header is all that is known',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: undefined,
      expected: '10.0.0.1',
    },
    {
      name: 'a proxy with an empty header is all that is known',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: '',
      expected: '10.0.0.1',
    },
    { name: 'one proxy', trusted: proxies, peer: '10.0.0.1', forwarded: '203.0.113.9', expected: '203.0.113.9' },
    {
      name: 'a proxy named by its address',
      trusted: proxies,
      peer: '192.0.2.1',
      forwarded: '203.0.113.9',
      expected: '203.0.113.9',
    },
    {
      name: 'the neighbour of that address is none',
      trusted: proxies,
      peer: '192.0.2.2',
      forwarded: '203.0.113.9',
      expected: '192.0.2.2',
    },
    {
      name: 'what the client wrote to the left is not believed',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: '1.2.3.4, 203.0.113.9',
      expected: '203.0.113.9',
    },
    {
      name: 'not even when it names a proxy',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: '10.0.0.7, 203.0.113.9',
      expected: '203.0.113.9',
    },
    {
      name: 'two proxies',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: '203.0.113.9, 10.9.9.9',
      expected: '203.0.113.9',
    },
    {
      name: 'nothing but proxies: the farthest',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: '10.0.0.3, 10.0.0.2',
      expected: '10.0.0.3',
    },
    {
      name: 'blanks around the addresses',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: ' 1.2.3.4 ,\t203.0.113.9 ',
      expected: '203.0.113.9',
    },
    {
      name: 'something that is no address ends the search at the proxy that wrote it',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: '203.0.113.9, unknown',
      expected: '10.0.0.1',
    },
    {
      name: 'so does an address with a port',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: '203.0.113.9:4711',
      expected: '10.0.0.1',
    },
    {
      name: 'so does an empty entry',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: '203.0.113.9,',
      expected: '10.0.0.1',
    },
    {
      name: 'so do markup and line ends',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: '203.0.113.9,<script>\r\n',
      expected: '10.0.0.1',
    },
    {
      name: 'a proxy over IPv6',
      trusted: proxies,
      peer: '2001:db8:1::5',
      forwarded: '2001:db8:2::9',
      expected: '2001:db8:2::9',
    },
    {
      name: 'a peer over IPv6 that is no proxy',
      trusted: proxies,
      peer: '2001:db8:2::5',
      forwarded: '203.0.113.9',
      expected: '2001:db8:2::5',
    },
    {
      name: 'a proxy over IPv4 on a socket for both, as Node shows it',
      trusted: proxies,
      peer: '::ffff:10.0.0.1',
      forwarded: '203.0.113.9',
      expected: '203.0.113.9',
    },
    {
      name: 'a client over IPv4 on a socket for both',
      trusted: [],
      peer: '::ffff:198.51.100.1',
      forwarded: undefined,
      expected: '198.51.100.1',
    },
    {
      name: 'a mapped address in the header is the IPv4 one',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: '::ffff:203.0.113.9',
      expected: '203.0.113.9',
    },
    {
      name: 'in capitals too',
      trusted: proxies,
      peer: '10.0.0.1',
      forwarded: '::FFFF:203.0.113.9',
      expected: '203.0.113.9',
    },
    {
      name: 'an address with a zone does not fail',
      trusted: ['10.0.0.1', 'fe80::/10'],
      peer: 'fe80::1%eth0',
      forwarded: '203.0.113.9',
      expected: '203.0.113.9',
    },
    {
      name: 'nor one in the header',
      trusted: ['10.0.0.1'],
      peer: '10.0.0.1',
      forwarded: 'fe80::1%eth0',
      expected: 'fe80::1%eth0',
    },
  ];
  for (const { name, trusted, peer, forwarded, expected } of cases)
    it(name, () => assert.equal(createClientAddress(trusted)(peer, forwarded), expected));
});

describe('the source that failures are counted for', () => {
  const cases: [string, string][] = [
    ['203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::', '2001:db8:1:3::/64'],
    ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:1::2:3:4:5', '2001:db8:1:0::/64'],
    ['2001::1:2:3:4:5:6', '2001:0:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4::/64'],
    ['unknown', 'unknown'],
    ['', ''],
  ];
  for (const [ip, expected] of cases)
    it(`${JSON.stringify(ip)} counts as ${expected}`, () => assert.equal(sourceOf(ip), expected));
});

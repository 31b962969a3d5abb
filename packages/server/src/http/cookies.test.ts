import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cookieJar, readCookies } from './cookies.ts';

describe('the cookies of a request', () => {
  const cases: { header: string | undefined; expected: Record<string, string> }[] = [
    { header: undefined, expected: {} },
    { header: '', expected: {} },
    { header: 'a=1', expected: { a: '1' } },
    { header: 'a=1; b=2;c=3', expected: { a: '1', b: '2', c: '3' } },
    { header: '  a = 1 ', expected: { a: '1' } },
    { header: 'a=b=c', expected: { a: 'b=c' } },
    { header: 'a=', expected: { a: '' } },
    { header: 'a; b=2', expected: { b: '2' } },
    // The longer path comes first (RFC 6265 section 5.4): a cookie that a page below plants does not hide it.
    { header: 'a=first; a=second', expected: { a: 'first' } },
    { header: '__proto__=1', expected: { ['__proto__']: '1' } },
    { header: 'A=1; a=2', expected: { A: '1', a: '2' } },
  ];
  for (const { header, expected } of cases)
    it(JSON.stringify(header), () => {
      const cookies = readCookies(header);
      assert.deepEqual(Object.entries(cookies), Object.entries(expected));
      assert.equal(Object.getPrototypeOf(cookies), null);
    });
});

describe("the server's own cookies", () => {
  it('B8 B16: on https are host-bound, Secure, HttpOnly and SameSite', () => {
    const jar = cookieJar('https://auth.example.com');
    assert.equal(jar.name('tessera_session'), '__Host-tessera_session');
    assert.equal(
      jar.write('tessera_session', 'value', undefined),
      '__Host-tessera_session=value; Path=/; HttpOnly; SameSite=Lax; Secure',
    );
    assert.equal(
      jar.write('tessera_session', 'value', 3600),
      '__Host-tessera_session=value; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=3600',
    );
    assert.equal(
      jar.write('tessera_session', '', 0),
      '__Host-tessera_session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0',
    );
  });

  it('__Host- asks for Path=/ also when the issuer has a path, and for no Domain (RFC 6265bis section 4.1.3)', () => {
    const written = cookieJar('https://example.com/auth').write('tessera_session', 'value', undefined);
    assert.match(written, /^__Host-.*; Path=\/;/);
    assert.doesNotMatch(written, /domain/i);
  });

  it('on a loopback http issuer have plain names, apart by port: cookies do not tell ports apart', () => {
    assert.equal(
      cookieJar('http://localhost:8080').write('tessera_session', 'value', undefined),
      'tessera_session_8080=value; Path=/; HttpOnly; SameSite=Lax',
    );
    assert.equal(cookieJar('http://127.0.0.1:9090').name('tessera_session'), 'tessera_session_9090');
    assert.equal(cookieJar('http://localhost').name('tessera_session'), 'tessera_session_80');
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { printable, readForm, readParameters } from './parameters.ts';

type Read = { parameters: Record<string, string>; repeated?: Record<string, string[]> };

describe('parameters', () => {
  const read: { text: string; expected: Read }[] = [
    { text: '', expected: { parameters: {} } },
    { text: '&&', expected: { parameters: {} } },
    { text: 'a=1&b=2', expected: { parameters: { a: '1', b: '2' } } },
    { text: 'a=1+2%2B3', expected: { parameters: { a: '1 2+3' } } },
    { text: 'a=b=c', expected: { parameters: { a: 'b=c' } } },
    { text: 'a=%C3%A9%F0%9F%94%91', expected: { parameters: { a: 'é🔑' } } },
    // RFC 6749 section 3.1: a parameter without a value counts as absent.
    { text: 'a=&b&c=1', expected: { parameters: { c: '1' } } },
    { text: 'a=&a=1', expected: { parameters: { a: '1' } } },
    { text: 'A=1&a=2', expected: { parameters: { A: '1', a: '2' } } },
    { text: '__proto__=1&constructor=2', expected: { parameters: { ['__proto__']: '1', constructor: '2' } } },
    // RFC 8707 section 2: resource may come several times.
    {
      text: 'resource=https://a&resource=https://b&x=1',
      expected: { parameters: { resource: 'https://b', x: '1' }, repeated: { resource: ['https://a', 'https://b'] } },
    },
    { text: '?a=1', expected: { parameters: { '?a': '1' } } },
    { text: '??a=1', expected: { parameters: { '??a': '1' } } },
  ];
  for (const { text, expected } of read)
    it(`${JSON.stringify(text)} is read`, () => {
      const result = readParameters(text);
      assert.ok(result.ok);
      const entries = (object: object) => Object.entries(object).sort();
      assert.deepEqual(entries(result.parameters), entries(expected.parameters));
      assert.deepEqual(entries(result.repeated), entries(expected.repeated ?? {}));
      assert.equal(Object.getPrototypeOf(result.parameters), null);
    });

  const refused: { text: string; description: RegExp; duplicate?: string }[] = [
    { text: 'a=1&a=2', description: /"a" came more than once/, duplicate: 'a' },
    { text: 'a=1&a=1', description: /"a" came more than once/, duplicate: 'a' },
    { text: 'a=1&%61=2', description: /"a" came more than once/, duplicate: 'a' },
    { text: '__proto__=1&__proto__=2', description: /"__proto__" came more than once/, duplicate: '__proto__' },
    { text: 'a%22b=1&a%22b=2', description: /"a\?b" came more than once/, duplicate: 'a"b' },
    { text: 'a=%', description: /percent-encoding/ },
    { text: 'a=%4', description: /percent-encoding/ },
    { text: 'a=%zz', description: /percent-encoding/ },
    { text: 'a%=1', description: /percent-encoding/ },
    { text: 'a=%00', description: /NUL/ },
    { text: 'a%00b=1', description: /NUL/ },
    { text: 'a=%C3%28', description: /UTF-8/ },
    { text: 'a=%C0%80', description: /UTF-8/ },
    { text: 'a=%ED%A0%80', description: /UTF-8/ },
    { text: 'a=%FF', description: /UTF-8/ },
    { text: '%FF=1', description: /UTF-8/ },
    { text: Array.from({ length: 101 }, (_, index) => `p${index}=1`).join('&'), description: /more than 100/ },
    { text: Array.from({ length: 101 }, (_, index) => `p${index}=`).join('&'), description: /more than 100/ },
  ];
  for (const { text, description, duplicate } of refused)
    it(`${JSON.stringify(text.slice(0, 40))} is refused`, () => {
      const result = readParameters(text);
      assert.ok(!result.ok);
      assert.match(result.description, description);
      assert.equal(result.duplicate, duplicate);
    });

  it('a hundred parameters are read', () => {
    const result = readParameters(Array.from({ length: 100 }, (_, index) => `p${index}=1`).join('&'));
    assert.ok(result.ok);
  });

  it('what was encoded comes back', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((one) => !/[\0\ufffd]/.test(one) && one.isWellFormed());
    fc.assert(
      fc.property(fc.dictionary(text, text, { maxKeys: 20 }), (parameters) => {
        const wanted = Object.entries(parameters).filter(([name]) => name !== 'resource' && name !== 'audience');
        const result = readParameters(new URLSearchParams(wanted).toString());
        assert.ok(result.ok);
        assert.deepEqual(Object.entries(result.parameters).sort(), wanted.sort());
      }),
    );
  });

  it('what URLSearchParams reads without loss is read the same, and what it cannot read is refused', () => {
    const pieces = [
      ...'aB9=&+?;# ',
      '%',
      '%20',
      '%2B',
      '%3d',
      '%26',
      '%00',
      '%c3',
      '%C3%A9',
      '%ed%a0%80',
      '%ff',
      'é',
      '\ud800',
      '\0',
    ];
    const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 24 }).map((all) => all.join(''));
    fc.assert(
      fc.property(texts, (text) => {
        const pairs = [...new URLSearchParams(text.startsWith('?') ? `?${text}` : text)].filter(([, value]) => value);
        const isRefused =
          /%(?![0-9a-f]{2})/i.test(text) ||
          pairs.some((pair) => /[\0\ufffd]/.test(pair.join(''))) ||
          new Set(pairs.map(([name]) => name)).size < pairs.length;
        const result = readParameters(text);
        assert.equal(result.ok, !isRefused);
        if (result.ok) assert.deepEqual({ ...result.parameters }, Object.fromEntries(pairs));
      }),
      { numRuns: 3000 },
    );
  });

  it('nothing that a stranger sends throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        readParameters(text);
      }),
    );
  });
});

describe('a form', () => {
  const cases: { type: string | undefined; ok: boolean }[] = [
    { type: 'application/x-www-form-urlencoded', ok: true },
    { type: 'application/x-www-form-urlencoded; charset=UTF-8', ok: true },
    { type: 'Application/X-WWW-Form-URLEncoded ;charset=utf-8', ok: true },
    { type: undefined, ok: false },
    { type: '', ok: false },
    { type: 'application/json', ok: false },
    { type: 'text/plain', ok: false },
    { type: 'multipart/form-data; boundary=x', ok: false },
    { type: 'text/plain; application/x-www-form-urlencoded', ok: false },
  ];
  for (const { type, ok } of cases)
    it(`of type ${JSON.stringify(type)} is ${ok ? 'read' : 'refused'}`, () =>
      assert.equal(readForm(type, 'a=1').ok, ok));
});

describe("a client's text in an error description (RFC 6749 appendix A.8)", () => {
  const cases: [string, string][] = [
    ['openid', 'openid'],
    ['a b', 'a b'],
    ['a"b\\c', 'a?b?c'],
    ['a\r\nb\0c\x7f', 'a??b?c?'],
    ['é', '?'],
    ['x'.repeat(100), 'x'.repeat(80)],
  ];
  for (const [text, expected] of cases)
    it(JSON.stringify(text.slice(0, 20)), () => assert.equal(printable(text), expected));
});

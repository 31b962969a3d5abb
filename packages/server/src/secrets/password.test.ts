import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { argon2Sync } from 'node:crypto';
import { describe, it } from 'node:test';
import { isPasswordHash, PasswordQueueFull, Passwords } from './password.ts';

/** A hash that costs next to nothing: for tests of everything but the cost. */
function cheapHash(password: string): string {
  const nonce = Buffer.alloc(16, 5);
  const tag = argon2Sync('argon2id', { message: password, nonce, memory: 8, passes: 1, parallelism: 1, tagLength: 32 });
  const plain = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  return `$argon2id$v=19$m=8,t=1,p=1$${plain(nonce)}$${plain(tag)}`;
}

describe('a password', () => {
  const passwords = new Passwords();

  it("is hashed with argon2id at OWASP's cost under a salt of its own", async () => {
    const [a, b] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')]);
    assert.match(a, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    assert.notEqual(a, b);
    assert.equal(await passwords.verify('correct horse', a), true);
    assert.equal(await passwords.verify('correct horsf', a), false);
  });

  const composed = 'caf\u00e9 \u00c5';
  const decomposed = 'cafe\u0301 A\u030a';
  const cases: { name: string; set: string; typed: string; expected: boolean }[] = [
    {
      name: 'RFC 8265 section 4.2: typed decomposed is the one set composed',
      set: composed,
      typed: decomposed,
      expected: true,
    },
    {
      name: 'RFC 8265 section 4.2: typed composed is the one set composed',
      set: composed,
      typed: composed,
      expected: true,
    },
    { name: 'without the accent is another', set: composed, typed: 'cafe A', expected: false },
    { name: 'in other case is another', set: 'Secret', typed: 'secret', expected: false },
    { name: 'with a blank at its end is another', set: 'secret', typed: 'secret ', expected: false },
    {
      name: 'that looks alike by compatibility alone is another (no NFKC)',
      set: 'fi',
      typed: '\ufb01',
      expected: false,
    },
    { name: 'with a NUL is not cut off there', set: 'secret', typed: 'secret\0more', expected: false },
    {
      name: 'of a thousand characters counts to the last',
      set: 'x'.repeat(1000),
      typed: `${'x'.repeat(999)}y`,
      expected: false,
    },
  ];
  for (const { name, set, typed, expected } of cases)
    it(name, async () => assert.equal(await passwords.verify(typed, cheapHash(set)), expected));

  it('for an unknown user costs a whole hash and is wrong', async () => {
    const cheap = cheapHash('correct horse');
    const { began, result } = await countHashes(() => passwords.verify('correct horse', undefined));
    assert.deepEqual({ began, result }, { began: 1, result: false });
    // 19 MiB and two passes against 8 KiB and one: far apart on any machine.
    const unknownUser = await timeOf(() => passwords.verify('correct horse', undefined));
    const knownUser = await timeOf(() => passwords.verify('correct horse', cheap));
    assert.ok(unknownUser > 3 * knownUser, `${unknownUser} ns against ${knownUser} ns`);
  });

  it('for a user whose hash cannot be read is wrong', async () =>
    assert.equal(await passwords.verify('correct horse', 'not a hash'), false));
});

describe('the queue of passwords', () => {
  it('lets four hundred wait beside those under way, tells the next that it is full, and works on', async () => {
    const passwords = new Passwords(2);
    const hash = cheapHash('secret');
    const taken = Array.from({ length: 402 }, (_, i) => passwords.verify('secret', hash, `source ${i % 5}`));
    const next = await Promise.allSettled([passwords.verify('secret', hash), passwords.hash('secret')]);
    for (const one of next) assert.ok(one.status === 'rejected' && one.reason instanceof PasswordQueueFull);
    assert.deepEqual(new Set(await Promise.all(taken)), new Set([true]));
    assert.equal(await passwords.verify('secret', hash), true);
  });

  it('is served in the order of coming', async () => {
    const passwords = new Passwords(1);
    const hash = cheapHash('secret');
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => passwords.verify('secret', hash).then(() => order.push(index))),
    );
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
  });

  it('never works on more at once than it may, also when callers come back the moment they are answered', async () => {
    const passwords = new Passwords(2);
    const hash = cheapHash('secret');
    const caller = async () => {
      for (let turn = 0; turn < 20; turn++) await passwords.verify('secret', hash);
    };
    const { began, mostAtOnce } = await countHashes(() => Promise.all(Array.from({ length: 6 }, caller)));
    assert.deepEqual({ began, mostAtOnce }, { began: 120, mostAtOnce: 2 });
  });

  it('a failure gives its place back', async () => {
    const passwords = new Passwords(1);
    const hash = cheapHash('secret');
    const strange = '$argon2id$v=19$m=1,t=0,p=1$BQUFBQUFBQUFBQUFBQUFBQ$BQUFBQUFBQUFBQUFBQUFBQ';
    await Promise.allSettled([passwords.verify('secret', strange), passwords.verify('secret', strange)]);
    assert.equal(await passwords.verify('secret', hash), true);
  });
});

describe('a PHC string', () => {
  const salt = 'BQUFBQUFBQUFBQUFBQUFBQ';
  const tag = 'BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU';
  const cases: [string, boolean][] = [
    [`$argon2id$v=19$m=19456,t=2,p=1$${salt}$${tag}`, true],
    [`$argon2id$v=19$m=8,t=1,p=1$${salt}$${tag}`, true],
    [`$argon2id$v=19$m=65536,t=3,p=4$${salt}$${tag}`, true],
    [`$argon2i$v=19$m=19456,t=2,p=1$${salt}$${tag}`, false],
    [`$argon2d$v=19$m=19456,t=2,p=1$${salt}$${tag}`, false],
    [`$argon2id$v=16$m=19456,t=2,p=1$${salt}$${tag}`, false],
    [`$argon2id$m=19456,t=2,p=1$${salt}$${tag}`, false],
    [`$argon2id$v=19$m=19456,t=0,p=1$${salt}$${tag}`, false],
    [`$argon2id$v=19$m=19456,t=2,p=0$${salt}$${tag}`, false],
    [`$argon2id$v=19$m=0,t=2,p=1$${salt}$${tag}`, false],
    [`$argon2id$v=19$m=7,t=2,p=1$${salt}$${tag}`, false],
    [`$argon2id$v=19$m=31,t=2,p=4$${salt}$${tag}`, false],
    [`$argon2id$v=19$m=99999999,t=2,p=1$${salt}$${tag}`, false],
    [`$argon2id$v=19$m=19456,t=2,p=1$${salt}==$${tag}`, false],
    [`$argon2id$v=19$m=19456,t=2,p=1$$${tag}`, false],
    [`$argon2id$v=19$m=19456,t=2,p=1$${salt}$`, false],
    ['$2b$12$C6UzMDM.H6dfI/f/IKcEeO', false],
    ['correct horse', false],
    ['', false],
  ];
  for (const [text, expected] of cases)
    it(`${JSON.stringify(text.slice(0, 40))} can${expected ? '' : 'not'} be checked`, async () => {
      assert.equal(isPasswordHash(text), expected);
      // What counts as a hash must not make a sign-in fail otherwise than by a wrong password.
      if (!text.includes('9999')) assert.equal(await new Passwords().verify('some password', text), false);
    });
});

/** How many hashes began while something was done, and how many were under way at once. */
async function countHashes<T>(work: () => Promise<T>): Promise<{ began: number; mostAtOnce: number; result: T }> {
  const running = new Set<number>();
  let began = 0;
  let mostAtOnce = 0;
  const hook = createHook({
    init: (id, type) => {
      if (type !== 'ARGON2REQUEST') return;
      began++;
      running.add(id);
      mostAtOnce = Math.max(mostAtOnce, running.size);
    },
    before: (id) => running.delete(id),
  }).enable();
  try {
    const result = await work();
    return { result, began, mostAtOnce };
  } finally {
    hook.disable();
  }
}

/** The shortest of a few times: what a busy machine adds to one of them says nothing of the work. */
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let turn = 0; turn < 8; turn += 1) {
    const begin = process.hrtime.bigint();
    await work();
    took.push(Number(process.hrtime.bigint() - begin));
  }
  return Math.min(...took);
}

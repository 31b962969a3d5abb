import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { FairQueue } from './fair-queue.ts';

/** The cost of a password hash: OWASP's first choice for argon2id, 19 MiB and two passes. */
const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };

/** How many passwords may wait to be hashed, in all and from one source, before the server says it is full. */
const longestQueue = 400;
const longestOfOne = 200;

/** Thrown when too many passwords wait; answered with 503 and `Retry-After`. */
export class PasswordQueueFull extends Error {
  readonly code = 'password_queue_full';
}

/**
 * Hashes and checks passwords with argon2id (RFC 9106) on the thread pool: at most `concurrency` at once, so that hashing never takes all
 * threads from the rest of the server; the others wait, and sources take turns.
 */
export class Passwords {
  readonly #queue: FairQueue;

  constructor(concurrency = 2) {
    this.#queue = new FairQueue({ concurrency, longest: longestQueue, longestOfOne });
  }

  /** A PHC string of the password, under a fresh salt. */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(16);
    const tag = await this.#derive(password, salt, cost, '');
    return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
  }

  /** True when the password has that hash. Without a hash it works as long as with one and says false: an unknown user costs what a known one costs. `source`: who takes turns. */
  async verify(password: string, hash: string | undefined, source = ''): Promise<boolean> {
    const parsed = hash === undefined ? undefined : parsePhc(hash);
    const tag = await this.#derive(password, parsed?.salt ?? Buffer.alloc(16), parsed?.cost ?? cost, source);
    return parsed !== undefined && tag.length === parsed.tag.length && timingSafeEqual(tag, parsed.tag);
  }

  async #derive(
    password: string,
    nonce: Buffer,
    { memory, passes, parallelism, tagLength }: typeof cost,
    source: string,
  ): Promise<Buffer> {
    const turn = this.#queue.enter(source);
    if (!turn) throw new PasswordQueueFull('too many passwords wait to be checked; try again shortly');
    await turn;
    try {
      // NFC, so that the same password typed on two systems is the same bytes (RFC 8265 section 4.2).
      const message = Buffer.from(password.normalize('NFC'), 'utf8');
      return await new Promise<Buffer>((resolve, reject) =>
        argon2('argon2id', { message, nonce, memory, passes, parallelism, tagLength }, (error, tag) =>
          error ? reject(error) : resolve(tag),
        ),
      );
    } finally {
      this.#queue.leave();
    }
  }
}

/** True for a PHC string of argon2id that `Passwords.verify` can check. */
export function isPasswordHash(text: string): boolean {
  return parsePhc(text) !== undefined;
}

function parsePhc(text: string): { cost: typeof cost; salt: Buffer; tag: Buffer } | undefined {
  const match =
    /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,88})\$([A-Za-z0-9+/]{16,88})$/.exec(
      text,
    );
  if (!match) return undefined;
  const [, memory, passes, parallelism, salt, tag] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const tagBytes = Buffer.from(tag, 'base64');
  const costs = {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    tagLength: tagBytes.length,
  };
  // RFC 9106 section 3.1; Node throws beyond these, and a sign-in must not.
  if (costs.passes < 1 || costs.parallelism < 1 || costs.memory < 8 * costs.parallelism) return undefined;
  return {
    cost: costs,
    salt: Buffer.from(salt, 'base64'),
    tag: tagBytes,
  };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign, verify } from 'node:crypto';
import { type DecodedJwt, decodeJwt } from '@tessera/protocol';
import { RememberedTokens } from '@tessera/protocol/remembered-tokens';
import type { JWK } from 'jose';
import { systemRandom } from '../secrets/random.ts';
import type { RootKeys } from '../secrets/root-keys.ts';
import { unseal } from '../secrets/sealed.ts';
import type { SigningKeyRecord } from '../store/records.ts';
import { UsedLately } from '../store/used-lately.ts';

/** Algorithms the issuer signs with its own keys. */
export type SigningAlgorithm = SigningKeyRecord['algorithm'];
export const signingAlgorithms: readonly SigningAlgorithm[] = ['ES256', 'RS256', 'EdDSA'];

/** `number` tells keys apart in the table of remembered tokens. */
type LoadedKey = {
  record: SigningKeyRecord;
  number: number;
  headers: Map<string, string>;
  publicKey: KeyObject;
  privateKey: KeyObject | undefined;
};

/** How much the table of remembered tokens takes: room for some 170,000. */
const rememberedBytes = 4 << 20;

/** A token that one of the keys has signed, taken apart. */
export type SignedToken = Pick<DecodedJwt, 'header' | 'payload'>;

/** How many tokens are kept taken apart, at least, and by how many of their last characters they are found: all of a signature's are as random as its key. */
const mostTokens = 2048;
const placeChars = 32;

/**
 * The issuer's signing keys, ready to use. Key objects are made once, at `load`: parsing a key costs ten times a signature.
 * Signs and verifies synchronously; `jose` reads the same tokens in the tests.
 */
export class SigningKeys {
  readonly #rootKeys: RootKeys;
  #byKid = new Map<string, LoadedKey>();
  #current = new Map<SigningAlgorithm, LoadedKey>();
  #records: SigningKeyRecord[] = [];
  #keysOpened = 0;
  #loading: Promise<unknown> = Promise.resolve();
  readonly #remembered = new RememberedTokens({ sizeBytes: rememberedBytes, prefix: systemRandom(32) });
  readonly #lately = new UsedLately<{ token: string; keyNumber: number; read: SignedToken }>(mostTokens);

  constructor(rootKeys: RootKeys) {
    this.#rootKeys = rootKeys;
  }

  /** Reads the store's keys by `read` and takes them over. One at a time: what was read before must not replace what was read after. */
  reload(read: () => Promise<readonly SigningKeyRecord[]>): Promise<void> {
    const loading = this.#loading.then(async () => this.load(await read()));
    this.#loading = loading.catch(() => undefined);
    return loading;
  }

  /** Whether this process has met the key. */
  knows(kid: string): boolean {
    return this.#byKid.has(kid);
  }

  /** Takes over what the store holds. A key whose private half cannot be opened verifies but does not sign. */
  load(records: readonly SigningKeyRecord[]): void {
    const byKid = new Map<string, LoadedKey>();
    const current = new Map<SigningAlgorithm, LoadedKey>();
    for (const record of records) {
      const known = this.#byKid.get(record.kid);
      const loaded = known ? { ...known, record } : this.#open(record);
      byKid.set(record.kid, loaded);
      if (record.state === 'current' && loaded.privateKey) current.set(record.algorithm, loaded);
    }
    this.#byKid = byKid;
    this.#current = current;
    this.#records = [...records];
  }

  /** All keys as the store holds them. */
  get records(): readonly SigningKeyRecord[] {
    return this.#records;
  }

  /** The kid that signs with this algorithm now; undefined when none does. */
  currentKid(algorithm: SigningAlgorithm): string | undefined {
    return this.#current.get(algorithm)?.record.kid;
  }

  /** The published key set: announced, current and retired keys, revoked ones never. Source: RFC 7517 section 5. */
  publicJwks(): { keys: JWK[] } {
    return { keys: this.#records.filter((record) => record.state !== 'revoked').map((record) => record.publicJwk) };
  }

  /**
   * A compact JWS of the payload, signed by the current key of that algorithm; throws a TypeError when there is none.
   */
  sign(algorithm: SigningAlgorithm, typ: string, payload: object): string {
    const key = this.#current.get(algorithm);
    if (!key?.privateKey)
      throw new TypeError(`algorithm: no current ${algorithm} key to sign with; check the root keys`);
    const input = `${headerOf(key, typ)}.${encodeJson(payload)}`;
    return `${input}.${signRaw(algorithm, input, key.privateKey).toString('base64url')}`;
  }

  /**
   * What a token says that one of these keys has signed; undefined for any other, also where the key is revoked or the algorithm is not the key's. A token that was verified before is remembered, so
   * a signature is computed once per token, and one that came lately is not even decoded again. Its claims are judged each time all the same.
   */
  read(token: string): SignedToken | undefined {
    const place = token.slice(-placeChars);
    const known = this.#lately.get(place);
    if (known?.token === token) return this.#holds(known.read.header.kid, known.keyNumber) ? known.read : undefined;
    const decoded = decodeJwt(token);
    if (!decoded) return undefined;
    const { header, payload, signature } = decoded;
    const key = typeof header.kid === 'string' ? this.#byKid.get(header.kid) : undefined;
    if (!key || key.record.state === 'revoked' || key.record.algorithm !== header.alg) return undefined;
    if (!this.#remembered.has(token, key.number)) {
      const input = token.slice(0, token.lastIndexOf('.'));
      if (!verifyRaw(key.record.algorithm, input, key.publicKey, signature)) return undefined;
      this.#remembered.add(token, key.number);
    }
    const read = { header, payload: Object.freeze(payload) };
    this.#lately.set(place, { token, keyNumber: key.number, read });
    return read;
  }

  #holds(kid: string | undefined, keyNumber: number): boolean {
    const key = this.#byKid.get(kid ?? '');
    return key?.number === keyNumber && key.record.state !== 'revoked';
  }

  #open(record: SigningKeyRecord): LoadedKey {
    const privateJwk = unseal(this.#rootKeys, 'stored-secret', record.encryptedPrivateJwk);
    return {
      record,
      number: ++this.#keysOpened,
      headers: new Map(),
      publicKey: createPublicKey({ key: record.publicJwk as JsonWebKey, format: 'jwk' }),
      privateKey: privateJwk ? createPrivateKey({ key: privateJwk as JsonWebKey, format: 'jwk' }) : undefined,
    };
  }
}

/** The encoded header of what a key signs, made once for each type of token. */
function headerOf(key: LoadedKey, typ: string): string {
  let header = key.headers.get(typ);
  if (header === undefined) {
    header = encodeJson({ alg: key.record.algorithm, typ, kid: key.record.kid });
    key.headers.set(typ, header);
  }
  return header;
}

/** base64url of a value's JSON. */
export function encodeJson(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function signRaw(algorithm: SigningAlgorithm, input: string, key: KeyObject): Buffer {
  const bytes = Buffer.from(input);
  if (algorithm === 'ES256') return derToRaw(sign('sha256', bytes, key));
  if (algorithm === 'RS256') return sign('sha256', bytes, key);
  return sign(null, bytes, key);
}

function verifyRaw(algorithm: SigningAlgorithm, input: string, key: KeyObject, signature: Uint8Array): boolean {
  const bytes = Buffer.from(input);
  if (algorithm === 'ES256')
    return signature.length === 64 && verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, signature);
  return verify(algorithm === 'RS256' ? 'sha256' : null, bytes, key, signature);
}

/** An ECDSA signature as JWS wants it (RFC 7518 section 3.4): r and s, 32 bytes each. Signing straight to that form costs twice as much in Node 24. */
function derToRaw(der: Uint8Array): Buffer {
  const raw = Buffer.allocUnsafe(64);
  let start = 2;
  for (const end of [32, 64]) {
    const first = start + 2;
    start = first + (der[start + 1] as number);
    // Byte by byte from the last: numbers come without leading zeros, or with one too many.
    for (let to = end - 1, from = start - 1; to >= end - 32; to--, from--)
      raw[to] = from < first ? 0 : (der[from] as number);
  }
  return raw;
}

import { EdgeRequestError, type Fetch, fetchJson } from './fetch-json.ts';

/** What the edge reads of the issuer's metadata. Source: RFC 8414 section 2; `tessera_revocation_feed_endpoint` is ours. */
export type IssuerEndpoints = {
  jwks_uri?: string;
  introspection_endpoint?: string;
  tessera_revocation_feed_endpoint?: string;
};

/** `isAllowedUrl` judges each endpoint: tokens and keys may travel to no other. `monotonicMs` is a clock that never steps. */
export type IssuerMetadataOptions = {
  issuer: string;
  fetch: Fetch;
  monotonicMs: () => number;
  isAllowedUrl: (url: string) => boolean;
};

const maxAgeMs = 3_600_000;
const retryAfterMs = 1000;
const timeoutMs = 5000;
const largestAnswerBytes = 262_144;

/**
 * The issuer's metadata: read on first use, again when an hour old; what is held stays in use while the issuer is away. One request at a time, and
 * after a failure none for a second. Source: RFC 8414 section 3, OpenID Connect Discovery 1.0 section 4.
 */
export class IssuerMetadata {
  readonly #options: IssuerMetadataOptions;
  #held: IssuerEndpoints | undefined;
  #readAtMs = 0;
  #failure: { atMs: number; error: unknown } | undefined;
  #inFlight: Promise<IssuerEndpoints> | undefined;

  constructor(options: IssuerMetadataOptions) {
    this.#options = options;
  }

  /** What was read so far, without asking. */
  get held(): IssuerEndpoints | undefined {
    return this.#held;
  }

  /** The endpoints; throws `EdgeRequestError` when they could never be read. */
  async get(): Promise<IssuerEndpoints> {
    const nowMs = this.#options.monotonicMs();
    if (this.#held && nowMs - this.#readAtMs < maxAgeMs) return this.#held;
    if (this.#failure && nowMs - this.#failure.atMs < retryAfterMs) {
      if (this.#held) return this.#held;
      throw this.#failure.error;
    }
    this.#inFlight ??= this.#read().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #read(): Promise<IssuerEndpoints> {
    try {
      this.#held = await this.#readFirstOf(metadataUrls(this.#options.issuer));
      this.#readAtMs = this.#options.monotonicMs();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = { atMs: this.#options.monotonicMs(), error };
      if (!this.#held) throw error;
    }
    return this.#held;
  }

  async #readFirstOf(urls: string[]): Promise<IssuerEndpoints> {
    for (const [index, url] of urls.entries()) {
      try {
        const { body } = await fetchJson({ fetch: this.#options.fetch, url, timeoutMs, largestAnswerBytes });
        return this.#judge(body, url);
      } catch (error) {
        const isAbsent = error instanceof EdgeRequestError && error.code === 'status';
        if (!isAbsent || index === urls.length - 1) throw error;
      }
    }
    throw new TypeError('urls must not be empty');
  }

  #judge(body: unknown, url: string): IssuerEndpoints {
    const metadata = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
    // RFC 8414 section 3.3: the issuer inside MUST be the one asked for.
    if (metadata.issuer !== this.#options.issuer)
      throw new EdgeRequestError(
        'not_json',
        `${url} is the metadata of issuer ${JSON.stringify(metadata.issuer)?.slice(0, 200)}, expected "${this.#options.issuer}"; set the issuer option exactly as the server names itself, to the last slash`,
      );
    const endpoints: IssuerEndpoints = {};
    for (const name of ['jwks_uri', 'introspection_endpoint', 'tessera_revocation_feed_endpoint'] as const) {
      const value = metadata[name];
      if (typeof value === 'string' && this.#options.isAllowedUrl(value)) endpoints[name] = value;
    }
    return endpoints;
  }
}

/** Where an issuer's metadata may stand, RFC 8414's place first. */
export function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
}

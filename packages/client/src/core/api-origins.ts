import { TesseraClientError } from './errors.ts';
import { isSecureUrl } from './secure-url.ts';

/**
 * The origins that may receive the access token: the issuer's, those of resources that are addresses, and those listed. A token that went
 * anywhere else would be in a stranger's hands, so the list is closed.
 */
export class ApiOrigins {
  readonly #origins: Set<string>;

  constructor(issuer: URL, resources: readonly string[], listed: readonly string[]) {
    const addresses = [issuer.href, ...resources.filter((resource) => URL.canParse(resource)), ...listed];
    const origins = addresses.map((address) => {
      if (URL.canParse(address)) return new URL(address).origin;
      throw new TypeError('apiOrigins must hold absolute origins, for example https://api.example.com');
    });
    // The origin of a urn: resource is the text "null", as is that of every file: page; it names no place.
    this.#origins = new Set(origins.filter((origin) => origin !== 'null'));
  }

  /** Throws `insecure_url` or `origin_not_allowed` unless the token may go there. */
  assertMayReceiveToken(url: URL): void {
    if (!isSecureUrl(url)) {
      throw new TesseraClientError(
        'insecure_url',
        `the access token is not sent to ${url.origin}: neither https nor loopback`,
      );
    }
    if (!this.#origins.has(url.origin)) {
      throw new TesseraClientError(
        'origin_not_allowed',
        `the access token is not sent to ${url.origin}; add it to apiOrigins if it is your API`,
      );
    }
  }
}

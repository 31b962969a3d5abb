/** A browser without script: keeps cookies, follows redirects inside the issuer, fills in forms. */
export class TestBrowser {
  readonly cookies = new Map<string, string>();
  readonly #issuer: string;
  readonly #fetch: (request: Request) => Promise<Response>;

  constructor(issuer: string, fetch: (request: Request) => Promise<Response>) {
    this.#issuer = issuer;
    this.#fetch = fetch;
  }

  /** One request with the browser's cookies; redirects are not followed. */
  async request(url: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.cookies.size > 0)
      headers.set('cookie', [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await this.#fetch(new Request(url, { ...init, headers, redirect: 'manual' }));
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = cookie.split(';');
      const name = pair.slice(0, pair.indexOf('='));
      if (attributes.some((one) => one.trim().toLowerCase() === 'max-age=0')) this.cookies.delete(name);
      else this.cookies.set(name, pair.slice(pair.indexOf('=') + 1));
    }
    return response;
  }

  /** Goes to an address and follows redirects until a page comes or the redirect leaves the issuer. */
  async go(url: string, init: RequestInit = {}): Promise<Page> {
    let response = await this.request(url, init);
    let at = url;
    while (response.status === 303 || response.status === 302) {
      at = new URL(response.headers.get('location') as string, at).href;
      if (!at.startsWith(`${this.#issuer}/`)) return new Page(at, response, '');
      response = await this.request(at);
    }
    return new Page(at, response, await response.text());
  }

  /** Sends a page's form with these fields beside its hidden ones. */
  submit(page: Page, fields: Record<string, string>, formIndex = 0): Promise<Page> {
    const form = page.forms[formIndex];
    if (!form) throw new Error(`the page ${page.heading} has no form ${formIndex}`);
    return this.go(new URL(form.action, page.url).href, {
      method: 'POST',
      body: new URLSearchParams({ ...form.hidden, ...fields }),
      headers: { origin: new URL(this.#issuer).origin },
    });
  }

  /** An authorization request, through sign-in and consent as they come; the address the browser ends up at. */
  async authorize(
    parameters: Record<string, string>,
    user?: { username: string; password: string; remember?: boolean },
  ): Promise<URL> {
    const query = new URLSearchParams({
      response_type: 'code',
      state: 'state-1',
      code_challenge_method: 'S256',
      ...parameters,
    });
    let page = await this.go(`${this.#issuer}/authorize?${query}`);
    if (page.heading === 'Sign in') {
      if (!user) return new URL(page.url);
      const { username, password, remember } = user;
      page = await this.submit(page, { username, password, ...(remember && { remember: 'on' }) });
    }
    if (page.heading === 'Allow access?') page = await this.submit(page, { decision: 'allow' });
    return new URL(page.url);
  }
}

/** What the browser shows. */
export class Page {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;

  constructor(url: string, response: Response, html: string) {
    this.url = url;
    this.status = response.status;
    this.headers = response.headers;
    this.html = html;
  }

  get heading(): string | undefined {
    return /<h1[^>]*>(.*?)<\/h1>/s.exec(this.html)?.[1]?.replaceAll('&#39;', "'");
  }

  get forms(): { action: string; hidden: Record<string, string>; html: string }[] {
    return [...this.html.matchAll(/<form[^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/gs)].map(
      ([, action = '', html = '']) => ({
        action: decodeEntities(action),
        hidden: Object.fromEntries(
          [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(
            ([, name = '', value = '']) => [decodeEntities(name), decodeEntities(value)],
          ),
        ),
        html,
      }),
    );
  }
}

function decodeEntities(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

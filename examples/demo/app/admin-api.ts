import type { DemoSecrets, DemoSettings } from '../settings.ts';

/** The part of the admin API's answers that the demo shows. The whole stands in `/admin/api/openapi.json` of the server. */
export type AdminSession = {
  sid: string;
  userId: string;
  state: 'live' | 'ended' | 'expired';
  authTime: number;
  amr: string[];
  origin: { ip: string; userAgent: string };
  endsAt: number;
  endedAt: number | null;
  endReason: string | null;
};

/** A grant: what one app may do under one session; a refresh token's family. */
export type AdminGrant = {
  grantId: string;
  clientId: string;
  state: 'live' | 'ended' | 'refused';
  jkt: string | null;
  generation: number;
  replays: number;
  createdAt: number;
  lastUsedAt: number;
  idleAt: number | null;
  lastOrigin: { ip: string; userAgent: string };
  endedAt: number | null;
  endReason: string | null;
};

/** One thing that happened. */
export type AdminEvent = {
  position: number;
  type: string;
  at: number;
  actor: { kind: string; clientId?: string };
  grantId?: string;
  clientId?: string;
  data?: Record<string, unknown>;
};

/** A session with its grants and events, both newest first. */
export type AdminStory = { session: AdminSession; grants: AdminGrant[]; events: AdminEvent[] };

const timeoutMs = 5000;

/**
 * The server's admin API, asked as the operator `demo-operator`: a token by client credentials, kept until shortly before it dies.
 * Source: OAuth 2.1 section 4.2.
 */
export class AdminApi {
  readonly #settings: DemoSettings;
  readonly #secret: string;
  #token: { value: string; renewAtMs: number } | undefined;

  constructor(settings: DemoSettings, secrets: DemoSecrets) {
    this.#settings = settings;
    this.#secret = secrets.operator;
  }

  /** A session and what happened to it; undefined when there is none of that id. */
  async readStory(sid: string): Promise<AdminStory | undefined> {
    return this.#ask('GET', `/sessions/${encodeURIComponent(sid)}`) as Promise<AdminStory | undefined>;
  }

  /** The live sessions of a user, newest first. */
  async listLiveSessions(userId: string): Promise<AdminSession[]> {
    const query = new URLSearchParams({ userId, state: 'live', limit: '20' });
    const page = (await this.#ask('GET', `/sessions?${query}`)) as { items: AdminSession[] } | undefined;
    return page?.items ?? [];
  }

  /** Ends one session and all its grants. */
  async endSession(sid: string): Promise<void> {
    await this.#ask('POST', `/sessions/${encodeURIComponent(sid)}/end`);
  }

  /** Ends all sessions of a user, on every device. Answers how many there were. */
  async signOutEverywhere(userId: string): Promise<number> {
    const ended = (await this.#ask('POST', `/users/${encodeURIComponent(userId)}/end-sessions`)) as
      | { sessions: number }
      | undefined;
    return ended?.sessions ?? 0;
  }

  async #ask(method: 'GET' | 'POST', path: string): Promise<unknown> {
    const response = await fetch(`${this.#settings.issuer}/admin/api${path}`, {
      method,
      headers: { authorization: `Bearer ${await this.#accessToken()}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.status === 404) return undefined;
    if (response.ok) return response.json();
    if (response.status === 401) this.#token = undefined;
    throw new Error(`the admin API answered ${response.status} to ${method} ${path.split(/[?/]/)[1]}`);
  }

  async #accessToken(): Promise<string> {
    if (this.#token && this.#token.renewAtMs > Date.now()) return this.#token.value;
    const { issuer } = this.#settings;
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`demo-operator:${this.#secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: `${issuer}/admin/api` }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const body = (await response.json()) as { access_token?: string; expires_in?: number; error?: string };
    if (!response.ok || body.access_token === undefined)
      throw new Error(`the server gave the operator no token: ${body.error ?? response.status}`);
    this.#token = { value: body.access_token, renewAtMs: Date.now() + ((body.expires_in ?? 60) - 20) * 1000 };
    return body.access_token;
  }
}

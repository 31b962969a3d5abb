import { isIP } from 'node:net';
import { day, hour, minute, type Seconds } from '@tessera/protocol';
import { longestLimit, longestRetryWindow } from './client-schema.ts';
import { given } from './problem.ts';
import { secretValue } from './secret-value.ts';
import { brandLogoProblem, issuerProblem, storeUrlProblem } from './url-rules.ts';
import { choice, distinct, line, seconds, section, text, wholeNumber } from './value-schemas.ts';

const colour = text('a colour', (value) =>
  /^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(value)
    ? undefined
    : `${given(value)} is not a colour; expected one such as "#a63d2f"`,
);

function throttleLimit(failures: number, window: Seconds, description: string) {
  return section({
    failures: wholeNumber(1, 10_000)
      .default(failures)
      .meta({ description: 'How many failures fill the bucket; from then on one waits.' }),
    window: seconds(1, day).default(window).meta({ description: 'In how many seconds a full bucket empties.' }),
  })
    .prefault({})
    .meta({ description });
}

/** The keys of the file but for the lists of users, clients and resource servers. */
export const serverShape = {
  issuer: text(
    'the URL of this server, such as "https://auth.example.com"; set it here, by --issuer or by TESSERA_ISSUER',
    issuerProblem,
  ).meta({
    description:
      'The URL under which everybody reaches the server; it stands as `iss` in every token. It should never change.',
    allowed: 'an https URL, or http on loopback; no query, fragment or trailing slash',
    defaultText: 'none; the one setting that is needed, here, as `--issuer` or as `TESSERA_ISSUER`',
    example: 'https://auth.example.com',
  }),
  listen: section({
    host: text('an address or host name', (value) =>
      /^[A-Za-z0-9.:_-]{1,253}$/.test(value)
        ? undefined
        : `${given(value)} is not an address or host name; expected one such as "127.0.0.1" or "0.0.0.0"`,
    )
      .default('127.0.0.1')
      .meta({
        description:
          'The address to listen on. `0.0.0.0` or `::` for all; TLS then belongs to a reverse proxy in front.',
        allowed: 'an IP address or host name',
      }),
    port: wholeNumber(0, 65_535).exactOptional().meta({
      description: 'The port to listen on; 0 takes any free one.',
      defaultText: "the issuer's own port if that is http on loopback, else 8080",
      example: 8080,
    }),
  })
    .prefault({})
    .meta({ description: 'Where the server listens.' }),
  data: text('a folder', (value) => (value === '' || value.includes('\0') ? 'is empty; expected a folder' : undefined))
    .default('tessera-data')
    .meta({
      description:
        'The folder of the embedded database and of the root keys, relative to this file. It is made when absent.',
      allowed: 'a path',
    }),
  store: secretValue(storeUrlProblem).exactOptional().meta({
    description:
      'A Postgres database (15 or later) for the store, instead of the embedded one: then any number of servers may share it, all with the same root keys.',
    allowed:
      'a postgres:// URL, for failover with several hosts (`host1,host2`), straight or through a pooler: text, { env: NAME } or { file: PATH }',
    defaultText: 'the embedded database in `data`',
    example: 'postgres://tessera@db.example.com/tessera',
  }),
  workers: wholeNumber(1, 64).default(1).meta({
    description:
      'How many processes serve the port, on one machine. About one for each core; each has its own connections to the store.',
  }),
  journal: text('a file', (value) => (value === '' || value.includes('\0') ? 'is empty; expected a file' : undefined))
    .exactOptional()
    .meta({
      description:
        'The journal of endings: what keeps ended sessions ended when an older state of the store is put back. Best on another disk than the store.',
      allowed: 'a path',
      defaultText: '`endings.journal` in `data`',
      example: '/var/lib/tessera-journal/endings.journal',
    }),
  brand: section({
    name: line(60).default('Tessera').meta({
      description: 'The name on sign-in pages and the console.',
      allowed: 'text of at most 60 characters',
    }),
    accent: colour.exactOptional().meta({
      description: 'The accent colour on light pages.',
      allowed: '`#rgb` or `#rrggbb`',
      defaultText: '`#a63d2f`',
      example: '#a63d2f',
    }),
    accentDark: colour.exactOptional().meta({
      description: 'The accent colour on dark pages.',
      allowed: '`#rgb` or `#rrggbb`',
      defaultText: 'made from `accent`',
      example: '#e0806f',
    }),
    logo: text('a path or data:image/ URL', brandLogoProblem).exactOptional().meta({
      description: 'The logo; pages fetch nothing from elsewhere.',
      allowed: 'a path on this server or a data:image/ URL',
      defaultText: "Tessera's mark",
      example: '/assets/logo.svg',
    }),
  })
    .prefault({})
    .meta({ description: 'How the pages look.' }),
  trustedProxies: distinct(text('an IP address or range', proxyProblem))
    .default([])
    .meta({
      description: 'Reverse proxies whose `X-Forwarded-For` is believed. Without them the header is ignored.',
      allowed: 'a list of IP addresses and CIDR ranges',
      example: ['10.0.0.0/8'],
    }),
  lifetimes: section({
    accessToken: seconds(1, day)
      .default(15 * minute)
      .meta({ description: 'Access tokens.' }),
    idToken: seconds(1, day)
      .default(15 * minute)
      .meta({ description: 'ID tokens.' }),
    authorizationCode: seconds(1, 10 * minute)
      .default(minute)
      .meta({ description: 'Authorization codes.' }),
    idle: seconds(1, longestLimit).exactOptional().meta({
      description: "How long a grant (an app's refresh tokens) lives unused.",
      defaultText: '604800 (7 days), or `absolute` where that is shorter',
      example: 604_800,
    }),
    absolute: seconds(1, longestLimit)
      .default(90 * day)
      .meta({ description: 'How long a grant lives at the most, however often it is used.' }),
    session: seconds(1, longestLimit)
      .default(90 * day)
      .meta({ description: 'How long a session (one sign-in in one browser) lives at the most.' }),
    sso: seconds(1, longestLimit).exactOptional().meta({
      description: "How long after its last use a session's cookie skips the sign-in page.",
      defaultText: '43200 (12 hours), or `session` where that is shorter',
      example: 43_200,
    }),
    ssoRemembered: seconds(1, longestLimit).exactOptional().meta({
      description: 'The same with "keep me signed in".',
      defaultText: '2592000 (30 days), or `session` where that is shorter; never less than `sso`',
      example: 2_592_000,
    }),
    retryWindow: seconds(0, longestRetryWindow).default(30).meta({
      description:
        'How long a rotated refresh token still returns its successor, for lost answers and parallel tabs; 0 turns it off.',
    }),
  })
    .transform(({ idle, sso, ssoRemembered, ...rest }) => {
      // A default gives way to a limit somebody set; two set limits that contradict each other are refused below.
      const shortSso = sso ?? Math.min(12 * hour, rest.session, ssoRemembered ?? rest.session);
      return {
        ...rest,
        idle: idle ?? Math.min(7 * day, rest.absolute),
        sso: shortSso,
        ssoRemembered: ssoRemembered ?? Math.max(shortSso, Math.min(30 * day, rest.session)),
      };
    })
    .superRefine(({ idle, absolute, sso, ssoRemembered, session }, context) => {
      const refuse = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
      if (idle > absolute)
        refuse(
          'idle',
          `${idle} is longer than absolute (${absolute}), which ends the grant first; at most ${absolute} makes sense`,
        );
      if (sso > session)
        refuse(
          'sso',
          `${sso} is longer than session (${session}), which ends the session first; at most ${session} makes sense`,
        );
      else if (ssoRemembered > session)
        refuse(
          'ssoRemembered',
          `${ssoRemembered} is longer than session (${session}), which ends the session first; at most ${session} makes sense`,
        );
      if (ssoRemembered < sso)
        refuse(
          'ssoRemembered',
          `${ssoRemembered} is shorter than sso (${sso}); "keep me signed in" must not sign out earlier`,
        );
    })
    .prefault({})
    .meta({
      description: 'How long things live, in whole seconds. Apps and resource servers may set some for themselves.',
    }),
  throttle: section({
    account: throttleLimit(10, 15 * minute, "Failures of strangers' browsers against one account."),
    source: throttleLimit(60, 15 * minute, 'Failures from one address (IPv6: one /64), whatever the account.'),
    client: throttleLimit(30, 5 * minute, "Failures of one client's authentication from one address."),
  })
    .prefault({})
    .meta({ description: 'When failures make one wait.' }),
  keys: section({
    rotateEvery: seconds(10, 730 * day)
      .default(90 * day)
      .meta({ description: 'A signing key signs for that long.' }),
    announceFor: seconds(1, 90 * day)
      .default(day)
      .meta({
        description: 'Its successor is published that long before it signs, so that verifiers know it in time.',
      }),
  })
    .superRefine(({ rotateEvery, announceFor }, context) => {
      if (announceFor >= rotateEvery)
        context.addIssue({
          code: 'custom',
          path: ['announceFor'],
          message: `${announceFor} is not shorter than rotateEvery (${rotateEvery}); announce for less than a key signs`,
        });
    })
    .prefault({})
    .meta({ description: 'How signing keys change.' }),
  unknownScopes: choice(['drop', 'refuse']).default('drop').meta({
    description:
      'What happens with scopes an app asks for and may not have: `drop` grants the others, `refuse` answers `invalid_scope`.',
  }),
  eventRetention: seconds(2 * day, longestLimit)
    .default(90 * day)
    .meta({ description: 'How long events are kept.' }),
  reuseEnds: choice(['grant', 'session']).default('grant').meta({
    description: 'What a reused refresh token, the sign of a theft, ends: its grant alone, or the whole session.',
  }),
  logLevel: choice(['silent', 'error', 'warn', 'info', 'debug'])
    .default('info')
    .meta({ description: 'From which weight on things are logged.' }),
};

function proxyProblem(value: string): string | undefined {
  const [address = '', prefix, ...rest] = value.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || rest.length > 0)
    return `${given(value)} is not an IP address or CIDR range; expected one such as "10.0.0.0/8"`;
  if (prefix === undefined) return undefined;
  const longest = family === 4 ? 32 : 128;
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > longest)
    return `${given(value)} has the prefix ${given(prefix)}; expected 1 to ${longest}`;
  return Number(prefix) === 0 ? `${given(value)} would believe everybody; name the proxies' own addresses` : undefined;
}

import { isScopeToken } from '@tessera/protocol';
import * as z from 'zod';
import { isPasswordHash } from '../secrets/password.ts';
import type { DeclaredUser } from './config.ts';
import { applyRules, type Parsed, parseSection, rule } from './parse-section.ts';
import { concealed, type Path } from './problem.ts';
import { resolved, secretValue } from './secret-value.ts';
import { distinct, flag, hasControlCharacter, named, secretText, text } from './value-schemas.ts';

/** The shortest password the file may give a user. Source: NIST SP 800-63B section 5.1.1.1. */
const shortestPassword = 8;
const longestPassword = 1024;

/** Claims that are the server's to set. Source: RFC 7519 section 4.1, OpenID Connect Core 1.0 section 2. */
const reservedClaims = new Set(
  'iss sub aud exp nbf iat jti auth_time nonce acr amr azp at_hash c_hash s_hash sid cnf scope client_id grant_id roles permissions email email_verified'.split(
    ' ',
  ),
);

/** The keys of `users[]`. */
export const userShape = {
  username: text('a user name', usernameProblem).meta({
    description: 'The name one signs in with. Unique, whatever its case.',
    allowed: '1 to 128 characters, no blanks at the ends',
    example: 'ada',
  }),
  email: text('an e-mail address', emailProblem).exactOptional().meta({
    description: 'The e-mail address; one may sign in with it too. Unique, whatever its case.',
    allowed: 'an e-mail address',
    defaultText: 'none',
    example: 'ada@example.com',
  }),
  emailVerified: flag()
    .default(false)
    .meta({ description: 'Whether the address is known to be theirs; the claim `email_verified`.' }),
  password: secretValue(passwordProblem)
    .exactOptional()
    .meta({
      description:
        'The password the user starts with. It is set again only when this value changes, so a password the user chose since stays. Either this or `passwordHash`.',
      allowed: `${shortestPassword} characters or more: text, { env: NAME } or { file: PATH }`,
      defaultText: 'none, and no sign-in with a password',
      example: { env: 'ADA_PASSWORD' },
    }),
  passwordHash: secretText('an argon2id hash', (value) =>
    isPasswordHash(value)
      ? undefined
      : `is ${concealed(value)} but not an argon2id hash; expected $argon2id$v=19$m=…,t=…,p=…$salt$hash`,
  )
    .exactOptional()
    .meta({
      description: 'The same as a hash, when the password should not stand in the file.',
      allowed: 'an argon2id hash as a PHC string',
      defaultText: 'none',
      example: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g',
    }),
  claims: named(z.string(), z.unknown())
    .superRefine((claims, context) => {
      for (const name of Object.keys(claims))
        if (reservedClaims.has(name))
          context.addIssue({
            code: 'custom',
            path: [name],
            message: `is set by the server${name.startsWith('email') ? '; use the keys email and emailVerified' : ''}; choose another name`,
          });
    })
    .default({})
    .meta({
      description: 'Standard claims (OpenID Connect Core 1.0 section 5.1), such as `name`, and claims of your own.',
      allowed: 'name: value',
      example: { name: 'Ada Lovelace' },
    }),
  roles: distinct(text('a role', tokenProblem))
    .default([])
    .meta({
      description: 'Roles, which the permission rules of resource servers speak of.',
      allowed: 'a list of names',
      example: ['clerk'],
    }),
  disabled: flag().default(false).meta({ description: 'A disabled user cannot sign in; their sessions end.' }),
};

/** Reads one entry of `users`. */
export function parseUser(raw: unknown, path: Path): Parsed<DeclaredUser> {
  const { value, broken, problems } = parseSection(userShape, raw, path);
  const user = { ...value, named: Object.keys(Object(raw)) } as Partial<DeclaredUser>;
  problems.push(...applyRules(userRules, user, broken, path));
  return { value: user, broken, problems };
}

/** What is wrong with a name of a role, scope or permission, or undefined. Source: RFC 6749 appendix A.4. */
export function tokenProblem(value: string): string | undefined {
  if (isScopeToken(value)) return undefined;
  return `${JSON.stringify(value)} is not allowed; expected printable ASCII without spaces, quotes and backslashes`;
}

const userRules = [
  resolved<DeclaredUser, 'password'>('password'),
  rule<DeclaredUser, 'password' | 'passwordHash'>(['password', 'passwordHash'], ({ password, passwordHash }) =>
    password !== undefined && passwordHash !== undefined
      ? [{ at: ['passwordHash'], message: 'stands beside password; keep one of the two' }]
      : [],
  ),
];

function usernameProblem(value: string): string | undefined {
  if (value === '') return 'is empty; expected a user name';
  if ([...value].length > 128) return `has ${[...value].length} characters; at most 128 are allowed`;
  if (hasControlCharacter(value)) return 'has a control character; expected plain text';
  // Else a second "ada" could be made that nobody can tell from the first. The two joiners belong to words of several languages (RFC 8264 section 9.8).
  if (/(?![\u200c\u200d])\p{Cf}/u.test(value)) return 'has an invisible character; leave it out';
  return value.trim() === value ? undefined : 'begins or ends with a blank; leave it out';
}

function emailProblem(value: string): string | undefined {
  const plausible = /^[^\s@"<>()]+@[^\s@"<>()]+$/.test(value) && value.length <= 254 && !hasControlCharacter(value);
  return plausible ? undefined : 'is not an e-mail address; expected one such as "ada@example.com"';
}

function passwordProblem(value: string): string | undefined {
  const length = [...value].length;
  if (length < shortestPassword) return `is ${concealed(value)}; at least ${shortestPassword} are needed`;
  return length > longestPassword ? `is ${concealed(value)}; at most ${longestPassword} are allowed` : undefined;
}

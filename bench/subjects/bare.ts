import { argon2, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { declared } from '../declared.ts';
import { runSubject, type SubjectOptions, type SubjectReady } from './subject-program.ts';

// What the machine allows: a bare node:http server that reads a form, signs a token of the usual size and answers (no client authentication, no decisions, no store), or answers what is always the same, and one
// that only hashes a password.
const es256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const rs256 = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
runSubject(start);

async function start({ port }: SubjectOptions): Promise<SubjectReady> {
  const issuer = `http://localhost:${port}`;
  const endpoints = {
    authorization_endpoint: `${issuer}/password`,
    token_endpoint: `${issuer}/token`,
    introspection_endpoint: `${issuer}/introspect`,
    revocation_endpoint: `${issuer}/nothing`,
    userinfo_endpoint: `${issuer}/userinfo`,
  };
  const server = createServer({ keepAliveTimeout: 65_000, noDelay: true }, async (request, response) => {
    const body = await read(request);
    const text =
      request.url === '/token'
        ? issueToken(issuer, body)
        : request.url === '/introspect'
          ? describeToken(body)
          : request.url === '/userinfo'
            ? JSON.stringify(claims)
            : request.url === '/password'
              ? await hash(body)
              : JSON.stringify(endpoints);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { issuer, cookies: [], usernames: [] };
}

function read(request: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      text += chunk;
    });
    request.once('end', () => resolve(text));
  });
}

function issueToken(issuer: string, form: string): string {
  const parameters = new URLSearchParams(form);
  const scope = parameters.get('scope') ?? '';
  const isRs256 = scope === declared.ledger.scope;
  const now = Math.floor(Date.now() / 1000);
  const token = signJwt(isRs256 ? 'RS256' : 'ES256', isRs256 ? rs256 : es256, {
    iss: issuer,
    sub: declared.machine.clientId,
    aud: parameters.get('resource'),
    client_id: declared.machine.clientId,
    jti: randomBytes(16).toString('base64url'),
    iat: now,
    nbf: now,
    exp: now + 900,
    scope,
  });
  return JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 900, scope });
}

const claims = {
  sub: 'a-user-of-the-usual-length',
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  email_verified: true,
};
const tokenFacts = {
  token_type: 'Bearer',
  iss: 'http://localhost:8080',
  ...claims,
  scope: 'reports:read',
  jti: 'a-token',
  iat: 1,
  exp: 901,
};

function describeToken(form: string): string {
  return JSON.stringify({ active: new URLSearchParams(form).has('token'), ...tokenFacts });
}

function signJwt(alg: 'ES256' | 'RS256', key: KeyObject, claims: object): string {
  const header = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid: 'bare-key-of-the-usual-length-0123456789abc' }));
  const input = `${header.toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  // In DER form for ES256: turning it round costs next to nothing, and nobody reads this token.
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
}

function hash(password: string): Promise<string> {
  return new Promise((resolve, reject) =>
    argon2('argon2id', { message: Buffer.from(password), nonce: randomBytes(16), ...cost }, (error, tag) =>
      error ? reject(error) : resolve(tag.toString('base64')),
    ),
  );
}

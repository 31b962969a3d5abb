import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEdge, type Edge } from '@tessera/edge';
import { basicAuthorization, declared } from '../declared.ts';
import { codeFlow, signInForCookie, type Tokens } from '../load/code-flow.ts';
import { Caller, describeTarget } from '../load/target.ts';
import { ascending, quantile } from '../measure/distribution.ts';

/** What this program measures. `verify`: the processor time of verifying; `revoke`: how long revoked tokens live on. */
export type EdgeTask =
  | { kind: 'verify'; issuer: string; tokens: number; rounds: number; milliseconds: number }
  | { kind: 'revoke'; issuer: string; edges: number; repeats: number; cookie: string | undefined };

/** The processor time of one kind of verification, one round. */
export type VerifyRound = { perCpuSecond: number; p50Ms: number; p99Ms: number; operations: number; errors: number };

/** What it says in the end. `bare`: the signature alone, by node:crypto. */
export type EdgeResult =
  | { kind: 'verify'; first: VerifyRound[]; remembered: VerifyRound[]; bare: VerifyRound[] }
  | { kind: 'revoke'; milliseconds: number[]; errors: string[] };

// Edges connected to the feed of a real server.
process.once('disconnect', () => process.exit(0));
const task = JSON.parse(process.argv[2] ?? '{}') as EdgeTask;
(task.kind === 'verify' ? measureVerification(task) : measureRevocation(task)).then(
  (result) => process.send?.({ result }, () => process.exit(0)),
  (error: unknown) => {
    process.send?.({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    process.exit(1);
  },
);

function newEdge(issuer: string): Edge {
  return createEdge({
    issuer,
    audience: declared.orders.audience,
    clientId: declared.api.clientId,
    clientSecret: declared.api.clientSecret,
    onNotice: () => undefined,
  });
}

function accepts(edge: Edge, token: string): Promise<boolean> {
  return edge
    .verifyAccessToken(
      { method: 'GET', url: `${declared.orders.audience}/1`, authorization: [`Bearer ${token}`], dpop: [] },
      { scopes: [declared.orders.scope] },
    )
    .then((verification) => verification.ok);
}

async function measureVerification(task: Extract<EdgeTask, { kind: 'verify' }>): Promise<EdgeResult> {
  const tokens = await machineTokens(task.issuer, task.tokens);
  const isGenuine = await bareVerifier(task.issuer);
  const result = {
    kind: 'verify' as const,
    first: [] as VerifyRound[],
    remembered: [] as VerifyRound[],
    bare: [] as VerifyRound[],
  };
  for (let round = 0; round < task.rounds; round++) {
    result.first.push(await verifyOnFreshEdges(task, tokens));
    result.bare.push(await timed(task.milliseconds, tokens, async (token) => isGenuine(token)));
    const edge = newEdge(task.issuer);
    await edge.start();
    for (const token of tokens) await accepts(edge, token);
    result.remembered.push(await timed(task.milliseconds, tokens, (token) => accepts(edge, token)));
    await edge.close();
  }
  return result;
}

/** Every token is new to its edge: after each pass an edge that remembers nothing takes over. */
async function verifyOnFreshEdges(
  task: Extract<EdgeTask, { kind: 'verify' }>,
  tokens: readonly string[],
): Promise<VerifyRound> {
  const passes: VerifyRound[] = [];
  const endsMs = performance.now() + task.milliseconds;
  do {
    const edge = newEdge(task.issuer);
    await edge.start();
    passes.push(await timed(0, tokens, (token) => accepts(edge, token)));
    await edge.close();
  } while (performance.now() < endsMs);
  const sum = (value: (pass: VerifyRound) => number) => passes.reduce((total, pass) => total + value(pass), 0);
  const middle = passes[Math.floor(passes.length / 2)] as VerifyRound;
  const operations = sum((pass) => pass.operations);
  return {
    perCpuSecond: operations / sum((pass) => pass.operations / pass.perCpuSecond),
    p50Ms: middle.p50Ms,
    p99Ms: middle.p99Ms,
    operations,
    errors: sum((pass) => pass.errors),
  };
}

/** Goes through all tokens, again until the time is over. The processor time is that of all threads of this process. */
async function timed(
  milliseconds: number,
  tokens: readonly string[],
  check: (token: string) => Promise<boolean>,
): Promise<VerifyRound> {
  const latenciesMs: number[] = [];
  let operations = 0;
  let errors = 0;
  const cpu = process.cpuUsage();
  const endsMs = performance.now() + milliseconds;
  do {
    for (const token of tokens) {
      const isSampled = (operations++ & 15) === 0;
      const beganMs = isSampled ? performance.now() : 0;
      if (!(await check(token))) errors++;
      if (isSampled) latenciesMs.push(performance.now() - beganMs);
    }
  } while (performance.now() < endsMs);
  const used = process.cpuUsage(cpu);
  const sorted = ascending(latenciesMs);
  return {
    perCpuSecond: (operations * 1e6) / (used.user + used.system),
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    operations,
    errors,
  };
}

async function machineTokens(issuer: string, count: number): Promise<string[]> {
  const target = await describeTarget(issuer, { pids: [], cookies: [], usernames: [] });
  const callers = Array.from({ length: 8 }, (_, index) => new Caller(target, index));
  const form = `grant_type=client_credentials&scope=${declared.orders.scope}&resource=${encodeURIComponent(declared.orders.audience)}`;
  const tokens: string[] = [];
  await Promise.all(
    callers.map(async (caller) => {
      while (tokens.length < count) {
        const answer = await caller.post(target.endpoints.token, form, {
          authorization: basicAuthorization(declared.machine),
        });
        if (answer.status !== 200) throw new Error(`a token was refused: ${answer.body}`);
        tokens.push((JSON.parse(answer.body) as Tokens).access_token);
      }
      caller.close();
    }),
  );
  return tokens.slice(0, count);
}

async function bareVerifier(issuer: string): Promise<(token: string) => boolean> {
  const jwks = (await (await fetch(`${issuer}/jwks`)).json()) as { keys: (JsonWebKey & { alg?: string })[] };
  const jwk = jwks.keys.find((key) => key.crv === 'P-256');
  if (!jwk) throw new Error(`${issuer} publishes no ES256 key`);
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  return (token) => {
    const dot = token.lastIndexOf('.');
    const signature = Buffer.from(token.slice(dot + 1), 'base64url');
    return verify('sha256', Buffer.from(token.slice(0, dot)), { key, dsaEncoding: 'ieee-p1363' }, signature);
  };
}

async function measureRevocation(task: Extract<EdgeTask, { kind: 'revoke' }>): Promise<EdgeResult> {
  const target = await describeTarget(task.issuer, { pids: [], cookies: [], usernames: [] });
  const caller = new Caller(target, 0);
  const cookie = task.cookie ?? (await signInForCookie(caller, declared.user.username, declared.user.password));
  const edges = Array.from({ length: task.edges }, () => newEdge(task.issuer));
  await Promise.all(edges.map((edge) => edge.start()));
  const milliseconds: number[] = [];
  const errors: string[] = [];
  for (let repeat = 0; repeat < task.repeats; repeat++) {
    const took = await revokeOnce(caller, edges, cookie, repeat);
    if (typeof took === 'string') errors.push(took);
    else milliseconds.push(took);
  }
  await Promise.all(edges.map((edge) => edge.close()));
  return { kind: 'revoke', milliseconds, errors };
}

const longestWaitMs = 5000;

/** The milliseconds from the acknowledged revocation to the last edge's refusal, or what went wrong. */
async function revokeOnce(
  caller: Caller,
  edges: readonly Edge[],
  cookie: string,
  repeat: number,
): Promise<number | string> {
  const tokens = await codeFlow(caller, cookie, declared.orders);
  if (!tokens) return 'the code flow was refused';
  const accepted = await Promise.all(edges.map((edge) => accepts(edge, tokens.access_token)));
  const refusing = edges.find((_, index) => !accepted[index]);
  if (refusing) return `an edge refused a good token: ${JSON.stringify(refusing.status())}`;
  // At another moment of the server's own rhythm each time.
  await sleep(5 + ((repeat * 13) % 60));
  const answer = await caller.post(caller.target.endpoints.revoke, `token=${tokens.refresh_token}`, {
    authorization: basicAuthorization(declared.web),
  });
  const acknowledgedMs = performance.now();
  if (answer.status !== 200) return `the revocation was answered with ${answer.status}`;
  let accepting = [...edges];
  while (accepting.length > 0) {
    const still: Edge[] = [];
    for (const edge of accepting) if (await accepts(edge, tokens.access_token)) still.push(edge);
    accepting = still;
    if (performance.now() - acknowledgedMs > longestWaitMs)
      return `${accepting.length} edges accept a revoked token: ${JSON.stringify(accepting[0]?.status())}`;
    if (accepting.length > 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return performance.now() - acknowledgedMs;
}

import { createEdge, type Edge } from '../create-edge.ts';
import type { EdgeNotice } from '../notice.ts';
import type { EdgeOptions } from '../options.ts';
import type { RequestFacts } from '../request-facts.ts';
import type { Refusal, Requirement, Verification } from '../verification.ts';
import { TestIssuer } from './test-issuer.ts';

/** A wall clock and a monotonic clock in the test's hand. */
export type TestClock = { seconds: number; monotonicMs: number };

/** An edge with its issuer, its clocks, and what it said. */
export type EdgeUnderTest = {
  edge: Edge;
  issuer: TestIssuer;
  clock: TestClock;
  refusals: Refusal[];
  notices: EdgeNotice[];
  /** Judges `GET https://api.example.com/orders` with this token. */
  judge: (token: string, more?: Partial<RequestFacts>, requirement?: Requirement) => Promise<Verification>;
  /** The reason of the refusal, or `accepted`. */
  reasonOf: (token: string) => Promise<string>;
  /** Another edge at the same issuer. */
  another: (options?: Partial<EdgeOptions>) => EdgeUnderTest;
  close: () => Promise<void>;
};

/** An issuer and an edge in front of it; the edge is not started. */
export async function edgeUnderTest(
  options: Partial<EdgeOptions> = {},
  issuerOptions: { alg?: string; nodes?: number } = {},
): Promise<EdgeUnderTest> {
  const clock: TestClock = { seconds: 1_800_000_000, monotonicMs: 5000 };
  const { nodes = 1, ...rest } = issuerOptions;
  const issuer = await TestIssuer.start({ now: () => clock.seconds, ...rest });
  for (let node = 1; node < nodes; node++) await issuer.addNode();
  return assemble(issuer, clock, options);
}

function assemble(issuer: TestIssuer, clock: TestClock, options: Partial<EdgeOptions>): EdgeUnderTest {
  const refusals: Refusal[] = [];
  const notices: EdgeNotice[] = [];
  const edge = createEdge({
    issuer: issuer.url,
    audience: issuer.audience,
    clientId: issuer.clientId,
    clientSecret: issuer.clientSecret,
    now: () => clock.seconds,
    monotonicMs: () => clock.monotonicMs,
    onRefusal: (refusal) => refusals.push(refusal),
    onNotice: (notice) => notices.push(notice),
    ...options,
  });
  const others: EdgeUnderTest[] = [];
  const judge: EdgeUnderTest['judge'] = (token, more = {}, requirement = {}) =>
    edge.verifyAccessToken(
      { method: 'GET', url: 'https://api.example.com/orders', authorization: [`Bearer ${token}`], dpop: [], ...more },
      requirement,
    );
  return {
    edge,
    issuer,
    clock,
    refusals,
    notices,
    judge,
    reasonOf: async (token) => {
      const verification = await judge(token);
      return verification.ok ? 'accepted' : verification.reason;
    },
    another: (more = {}) => {
      const other = assemble(issuer, clock, { ...options, ...more });
      others.push(other);
      return other;
    },
    close: async () => {
      for (const other of others) await other.edge.close();
      await edge.close();
      await issuer.close();
    },
  };
}

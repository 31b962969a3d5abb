import { codeFlow, type Tokens, type Wanted } from '../load/code-flow.ts';
import { Caller, type Target } from '../load/target.ts';

/** Tokens by the code flow, one grant each, spread over these sessions: so many, or as many as there are after `longestMs`. */
export async function obtainTokens(
  target: Target,
  count: number,
  cookies: readonly string[],
  wanted: Wanted,
  longestMs = Number.POSITIVE_INFINITY,
): Promise<Tokens[]> {
  // The bare server signs nobody in, and takes any token of the usual size.
  if (target.cookies.length === 0) return Array.from({ length: count }, (_, index) => madeUp(index));
  const callers = Array.from({ length: 16 }, (_, index) => new Caller(target, index));
  const obtained: Tokens[] = [];
  const endsMs = performance.now() + longestMs;
  let begun = 0;
  try {
    await Promise.all(
      callers.map(async (caller) => {
        while (begun < count && performance.now() < endsMs) {
          const cookie = cookies[begun++ % cookies.length] as string;
          const tokens = await codeFlow(caller, cookie, wanted);
          if (!tokens) throw new Error(`${target.issuer} refused a code flow that the scenario needs`);
          obtained.push(tokens);
        }
      }),
    );
  } finally {
    for (const caller of callers) caller.close();
  }
  return obtained;
}

function madeUp(index: number): Tokens {
  return { access_token: String(index).padStart(760, 'e'), refresh_token: '', id_token: '' };
}

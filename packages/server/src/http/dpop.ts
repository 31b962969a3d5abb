import { createHmac } from 'node:crypto';
import { type Seconds, verifyDpopProof } from '@tessera/protocol';
import type { Context } from '../context.ts';
import { sameText } from '../secrets/sealed.ts';
import type { Change } from '../store/store.ts';
import { type Input, type Output, originOf } from './message.ts';
import { type Refusal, refuse } from './refusal.ts';

/** A proof that holds, or the absence of one. `remember` must go into a commit: it conflicts when the proof was used before. */
export type DpopPresented =
  | { kind: 'proof'; jkt: string; answersFreshNonce: boolean; remember: Extract<Change, { change: 'remember' }> }
  | { kind: 'none' };

/** How long a nonce is fresh, in seconds: between one and two of these. */
const nonceSlice: Seconds = 60;

/**
 * Reads and judges the DPoP proof of a request to `url`. A nonce in it must be one of ours and fresh, or the client is asked to try again with a new one; a proof without nonce is
 * good where none is demanded and its `iat` is of now. With a fresh nonce `iat` may say what it likes. Source: RFC 9449 sections 4.3, 8 and 11.1.
 */
export async function readDpop(
  context: Context,
  input: Input,
  url: string,
  accessToken?: string,
): Promise<DpopPresented | Refusal> {
  const header = input.headers.dpop;
  if (header === undefined) return { kind: 'none' };
  if (input.repeated.includes('dpop'))
    return refuse('invalid_dpop_proof', 'dpop_invalid', 'the DPoP header came more than once');
  const now = context.now();
  let answersFreshNonce = false;
  const isFresh = (nonce: string) => {
    answersFreshNonce = isFreshNonce(context, nonce);
    return answersFreshNonce;
  };
  const verdict = await verifyDpopProof(header, {
    method: input.method,
    url,
    now,
    nonces: { isFresh, lifetime: 2 * nonceSlice },
    ...(accessToken === undefined ? {} : { accessToken }),
  });
  // A device whose clock is off could otherwise neither sign in nor refresh.
  if (!verdict.ok && verdict.isUntimely) return nonceRefusal(context, verdict.reason);
  if (!verdict.ok)
    return refuse('invalid_dpop_proof', 'dpop_invalid', `the DPoP proof does not hold: ${verdict.reason}`);
  const { jkt, nonce, replayKey, forgetAt } = verdict.proof;
  if (nonce !== undefined && !answersFreshNonce) return nonceRefusal(context);
  return {
    kind: 'proof',
    jkt,
    answersFreshNonce,
    remember: { change: 'remember', key: `dpop:${replayKey}`, now, until: forgetAt, from: originOf(input) },
  };
}

/** Asks the client to come again with the nonce that stands in the header. `why`: what else is the matter with its proof. Source: RFC 9449 section 8. */
export function nonceRefusal(context: Context, why?: string): Refusal {
  return refuse(
    'use_dpop_nonce',
    'dpop_nonce_required',
    `${why === undefined ? '' : `${why}: `}send the DPoP proof again with the nonce of the DPoP-Nonce header`,
    {
      headers: { 'dpop-nonce': freshNonce(context) },
    },
  );
}

/** The answer to a proof that was used before; the event tells both origins. */
export async function replayRefusal(
  context: Context,
  dpop: DpopPresented,
  facts: Refusal['facts'] = {},
): Promise<Refusal> {
  const firstSeenFrom =
    dpop.kind === 'proof' ? await context.store.rememberedFrom(dpop.remember.key, context.now()) : undefined;
  return refuse(
    'invalid_dpop_proof',
    'dpop_replayed',
    'the DPoP proof was used before; make a new one for each request',
    {
      facts,
      event: { type: 'dpop.replayed', data: { firstSeenFrom } },
    },
  );
}

/** The answer with the nonce to use next, when the request had a proof. Source: RFC 9449 section 8.2. */
export function withNextNonce(context: Context, input: Input, output: Output): Output {
  if (input.headers.dpop === undefined || output.headers['dpop-nonce'] !== undefined) return output;
  return { ...output, headers: { ...output.headers, 'dpop-nonce': freshNonce(context) } };
}

function freshNonce(context: Context): string {
  return nonceOf(context, Math.floor(context.now() / nonceSlice)) as string;
}

function isFreshNonce(context: Context, nonce: string): boolean {
  const slice = Math.floor(context.now() / nonceSlice);
  return [slice, slice - 1].some((one) => {
    for (const id of context.rootKeys.acceptedIds) if (sameText(nonceOf(context, one, id) ?? '', nonce)) return true;
    return false;
  });
}

function nonceOf(context: Context, slice: number, keyId = context.rootKeys.currentId): string | undefined {
  const key = context.rootKeys.derive(keyId, 'dpop-nonce');
  return key && createHmac('sha256', key).update(String(slice)).digest('base64url').slice(0, 32);
}

import type { Context } from '../context.ts';
import { sourceOf } from '../http/client-address.ts';
import type { UserRecord } from '../store/records.ts';
import type { Counted } from '../throttle.ts';

/** The `acr` of a sign-in by password. */
export const passwordAcr = 'urn:tessera:acr:password';

/** Somebody tries a password. `knownBrowser`: the browser's id when it signed in to this account before. */
export type PasswordAttempt = {
  username: string;
  password: string;
  ip: string;
  knownBrowser: (userId: string) => string | undefined;
};

/** What a try came to. `wrong` for an unknown user, a wrong password and a disabled user alike. */
export type PasswordVerdict =
  | { kind: 'right'; user: UserRecord }
  | { kind: 'wrong'; reason: 'credentials_wrong' | 'user_disabled'; userId: string | undefined }
  | { kind: 'throttled'; wait: number; userId: string | undefined };

/** Longer ones are wrong without being hashed. */
const longestPassword = 1024;

/**
 * Checks a username and password. Failures are counted per account and per source. A browser that signed in to the account before has a count of its own, so a stranger's guesses
 * never keep its owner out. Unknown users cost the same time and get the same answers.
 * Source: OWASP Authentication Cheat Sheet; NIST SP 800-63B section 3.2.2.
 */
export async function checkPassword(context: Context, attempt: PasswordAttempt): Promise<PasswordVerdict> {
  // Keyboards add a blank after a completed word; user names have none at their ends.
  const username = attempt.username.trim();
  const user = await context.store.findUser(username);
  const [account, ...others] = countersOf(context, { ...attempt, username }, user);
  return context.throttle.inTurn(account.key, (ahead) =>
    judge(context, attempt, user, [{ ...account, ahead }, ...others]),
  );
}

async function judge(
  context: Context,
  attempt: PasswordAttempt,
  user: UserRecord | undefined,
  counted: readonly Counted[],
): Promise<PasswordVerdict> {
  const wait = await context.throttle.wait(counted);
  if (wait > 0) return { kind: 'throttled', wait, userId: user?.userId };
  const isPlausible = attempt.password.length > 0 && attempt.password.length <= longestPassword;
  const isRight =
    isPlausible && (await context.passwords.verify(attempt.password, user?.passwordHash, sourceOf(attempt.ip)));
  if (user && isRight && !user.disabled) {
    await context.throttle.forgive(counted.filter((one) => !one.key.startsWith('source:')).map((one) => one.key));
    return { kind: 'right', user };
  }
  await context.throttle.failed(counted);
  return { kind: 'wrong', reason: user && isRight ? 'user_disabled' : 'credentials_wrong', userId: user?.userId };
}

/** The account's counter first. */
function countersOf(context: Context, attempt: PasswordAttempt, user: UserRecord | undefined): [Counted, ...Counted[]] {
  const { account, source } = context.config.throttle;
  const known = user && attempt.knownBrowser(user.userId);
  if (known !== undefined) return [{ key: `account:${user?.userId}:${known}`, limit: account }];
  const name = user?.userId ?? attempt.username.normalize('NFKC').toLowerCase().slice(0, 256);
  return [
    { key: `account:${name}`, limit: account },
    { key: `source:${sourceOf(attempt.ip)}`, limit: source },
  ];
}

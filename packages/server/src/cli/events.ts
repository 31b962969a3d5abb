import { setTimeout as sleep } from 'node:timers/promises';
import { listEvents } from '../admin/events.ts';
import { findUser } from '../admin/users.ts';
import { didYouMean } from '../config/suggestion.ts';
import { type EventType, eventTypes } from '../events/event-types.ts';
import type { EventRecord } from '../store/store.ts';
import { collect, type Register, storeCommand, wholeNumber } from './command.ts';
import { type StoreOptions, valueOrFail, withContext } from './command-context.ts';
import { CommandFailure } from './failure.ts';
import { checkLimit } from './live-filter.ts';
import { exact, toJson } from './output.ts';
import type { Terminal } from './terminal.ts';

type EventOptions = StoreOptions & {
  type?: string[];
  user?: string;
  client?: string;
  session?: string;
  grant?: string;
  limit: number;
  follow?: boolean;
};

const followEveryMs = 200;

/** `tessera events`: what happened. */
export const register: Register = (program, terminal) => {
  program.addCommand(
    storeCommand('events', 'Show what happened, the newest last')
      .option('--type <type>', 'only this type, such as session.ended; may come several times', collect)
      .option('--user <user>', 'only of this user')
      .option('--client <client_id>', 'only of this application')
      .option('--session <sid>', 'only of this session')
      .option('--grant <grant_id>', 'only of this grant')
      .option('--limit <number>', 'how many at the most', wholeNumber, 50)
      .option('--follow', 'go on with what happens, until Ctrl-C')
      .action((options: EventOptions) => events(terminal, options)),
  );
};

/** An event in one line. */
export function describeEvent(event: EventRecord): string {
  const { actor } = event;
  const by = 'userId' in actor && actor.userId ? `${actor.kind} ${actor.userId}` : actor.kind;
  const ids = [
    event.userId && `user ${event.userId}`,
    event.clientId && `client ${event.clientId}`,
    event.sid && `session ${event.sid}`,
    event.grantId && `grant ${event.grantId}`,
  ].filter(Boolean);
  const data = event.data === undefined ? '' : `  ${JSON.stringify(event.data)}`;
  const line = `${exact(event.at)}  ${event.type.padEnd(22)}  ${ids.join(', ')}  by ${by}${data}`;
  return line.replaceAll(/[\p{Cc}\p{Cf}]/gu, '�');
}

async function events(terminal: Terminal, options: EventOptions): Promise<void> {
  checkLimit(options.limit, 10_000);
  const stopping = new AbortController();
  const endListening = options.follow ? terminal.onStop(() => stopping.abort()) : () => {};
  try {
    await withContext(terminal, options, async (context) => {
      const filter = {
        types: options.type?.map(toType),
        userId: options.user === undefined ? undefined : valueOrFail(await findUser(context, options.user)).userId,
        clientId: options.client,
        sid: options.session,
        grantId: options.grant,
      };
      // Where to go on is noted first: what happens meanwhile is then shown, not lost.
      let after = (await context.store.position()).position;
      const first = valueOrFail(await listEvents(context, { ...filter, before: after + 1, limit: options.limit }));
      const shown = first.items.toReversed();
      if (options.json && !options.follow) return terminal.out(toJson({ items: shown }, 2));
      show(terminal, options, shown);
      while (options.follow && !stopping.signal.aborted) {
        const page = valueOrFail(await listEvents(context, { ...filter, after, limit: 500 }));
        show(terminal, options, page.items);
        after = page.next ?? after;
        if (page.items.length === 0)
          await sleep(followEveryMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    });
  } finally {
    if (!stopping.signal.aborted) endListening();
  }
}

function show(terminal: Terminal, { json }: EventOptions, records: readonly EventRecord[]): void {
  for (const record of records) terminal.out(json ? toJson(record) : describeEvent(record));
}

function toType(text: string): EventType {
  if (Object.hasOwn(eventTypes, text)) return text as EventType;
  const known = Object.keys(eventTypes);
  throw new CommandFailure(
    `--type: there is no type "${text}"${didYouMean(text, known) || `; there are ${known.join(', ')}`}`,
    2,
  );
}

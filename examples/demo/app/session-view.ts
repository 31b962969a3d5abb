import type { AdminEvent, AdminGrant, AdminSession, AdminStory } from './admin-api.ts';
import { nameDevice } from './device-name.ts';
import { describeEnding, describeEvent } from './event-words.ts';

/** What the page shows of a session: no ids but the grant's, which the access token names too. Times are seconds since 1970. */
export type SessionView = {
  isLive: boolean;
  device: DeviceView;
  otherDevices: DeviceView[];
  endsAt: number;
  ended: { at: number; because: string } | undefined;
  grants: GrantView[];
  events: EventView[];
};

/** A browser or device somebody is signed in with. */
export type DeviceView = { name: string; ip: string; signedInAt: number };

/** An app under the session. `isBound`: its refresh token works only together with a key. */
export type GrantView = {
  grantId: string;
  clientId: string;
  app: string;
  isLive: boolean;
  isBound: boolean;
  generation: number;
  replays: number;
  lastUsedAt: number;
  because: string | undefined;
};

/** One thing that happened. `tone`: whether it ended something, refused something, or neither. */
export type EventView = { position: number; at: number; text: string; detail: string | undefined; tone: Tone };

/** How an event looks. */
export type Tone = 'usual' | 'refused' | 'ended';

const appNames: Record<string, string> = {
  'demo-spa': 'Demo app',
  'demo-legacy': 'Old app without a key',
  'demo-notes': 'Notes',
  'demo-operator': 'the operator',
};
const mostEvents = 40;

/** The name of one of the demo's apps. */
export function appName(clientId: string | undefined): string {
  return appNames[clientId ?? ''] ?? clientId ?? 'an app';
}

/** Puts together what the page shows of a session. Pure. */
export function viewSession(story: AdminStory, liveSessions: readonly AdminSession[]): SessionView {
  const { session, grants, events } = story;
  return {
    isLive: session.state === 'live',
    device: viewDevice(session),
    otherDevices: liveSessions.filter(({ sid }) => sid !== session.sid).map(viewDevice),
    endsAt: session.endsAt,
    ended: session.endedAt === null ? undefined : { at: session.endedAt, because: describeEnding(session.endReason) },
    grants: grants.map(viewGrant),
    events: events.slice(0, mostEvents).map(viewEvent),
  };
}

function viewDevice({ origin, authTime }: AdminSession): DeviceView {
  return { name: nameDevice(origin.userAgent), ip: origin.ip, signedInAt: authTime };
}

function viewGrant(grant: AdminGrant): GrantView {
  const { grantId, clientId, generation, replays, lastUsedAt, jkt, endReason } = grant;
  return {
    grantId,
    clientId,
    app: appName(clientId),
    isLive: grant.state === 'live',
    isBound: jkt !== null,
    generation,
    replays,
    lastUsedAt,
    because: grant.endedAt === null ? undefined : describeEnding(endReason),
  };
}

function viewEvent(event: AdminEvent): EventView {
  return { position: event.position, at: event.at, ...describeEvent(event, appName(event.clientId)) };
}

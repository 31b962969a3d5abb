import type { DeviceView, EventView, GrantView, SessionView } from '../session-view.ts';
import { element, place } from './element.ts';
import { ago, duration, now, timeOfDay } from './words.ts';

let shown = '';

/** Shows the session as it stands at the server: devices, apps, and what happened, newest first. Leaves the page alone when nothing changed. */
export function showSession(session: SessionView | undefined): void {
  const text = JSON.stringify(session);
  if (session === undefined || text === shown) return;
  shown = text;
  place('session').replaceChildren(
    sessionPart(session),
    element('div', { class: 'rule stack' }, element('h3', {}, 'Apps in it'), appList(session.grants)),
    element('div', { class: 'rule stack' }, element('h3', {}, 'What happened'), eventList(session.events)),
  );
  tickSession();
}

/** Moves the relative times. */
export function tickSession(): void {
  for (const time of document.querySelectorAll<HTMLTimeElement>('time[data-at]'))
    time.textContent = ago(Number(time.dataset.at), now());
}

function sessionPart({ isLive, device, otherDevices, ended, endsAt }: SessionView): HTMLElement {
  const others =
    otherDevices.length === 0
      ? 'No other device. Sign in from a private window too, and it shows up here.'
      : `And ${otherDevices.length === 1 ? '1 other device' : `${otherDevices.length} other devices`}:`;
  return element(
    'div',
    { class: 'stack' },
    element('p', { class: isLive ? 'badge live' : 'badge' }, isLive ? 'Live' : 'Ended'),
    element('p', {}, element('span', { class: 'name' }, device.name), ` from ${device.ip}`),
    element('p', { class: 'small' }, 'Signed in ', timeAgo(device.signedInAt), '. ', ending(ended, endsAt)),
    element('p', { class: 'small' }, others),
    otherDevices.length > 0 ? element('ul', { class: 'plain' }, ...otherDevices.map(deviceItem)) : undefined,
  );
}

function ending(ended: SessionView['ended'], endsAt: number): HTMLElement {
  if (ended === undefined) return element('span', {}, `Ends in ${duration(endsAt - now())} at the latest.`);
  return element('span', { class: 'name' }, 'Ended ', timeAgo(ended.at), `: ${ended.because}.`);
}

function deviceItem({ name, ip, signedInAt }: DeviceView): HTMLElement {
  return element('li', { class: 'small' }, `${name} from ${ip}, signed in `, timeAgo(signedInAt));
}

function appList(grants: readonly GrantView[]): HTMLElement {
  return element('ul', { class: 'plain apps' }, ...grants.map(appItem));
}

function appItem({ app, isLive, isBound, generation, replays, lastUsedAt, because }: GrantView): HTMLElement {
  const held = isBound ? 'bound to a key' : app === 'Notes' ? "held by the app's own server" : 'whoever has it, has it';
  const repeats = replays === 0 ? '' : `${replays} ${replays === 1 ? 'repeat' : 'repeats'} forgiven, `;
  return element(
    'li',
    {},
    element('p', { class: isLive ? 'badge live' : 'badge' }, app),
    element(
      'p',
      { class: 'small' },
      isLive
        ? `Generation ${generation}, ${held}, ${repeats}used `
        : `Ended at generation ${generation}: ${because}. Used `,
      timeAgo(lastUsedAt),
      '.',
    ),
  );
}

function eventList(events: readonly EventView[]): HTMLElement {
  return element('ol', { class: 'plain events' }, ...events.map(eventItem));
}

function eventItem({ at, text, detail, tone }: EventView): HTMLElement {
  return element(
    'li',
    { class: `event ${tone}` },
    element('p', {}, element('span', { class: 'name' }, text), timeAgo(at, 'small')),
    detail && element('p', { class: 'small' }, detail),
  );
}

function timeAgo(at: number, className?: string): HTMLElement {
  const machineReadable = new Date(at * 1000).toISOString();
  return element('time', { class: className, datetime: machineReadable, title: timeOfDay(at), 'data-at': String(at) });
}

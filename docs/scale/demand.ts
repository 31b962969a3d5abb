import type { Workload } from './figures.ts';

const secondsADay = 86_400;

/** What so many users ask for, on the average of a day and a second each. `…Births` a second: new sessions and grants; in the long run as many end. */
export type Demand = {
  users: number;
  refreshes: number;
  apiCalls: number;
  introspections: number;
  signIns: number;
  furtherCodes: number;
  signOuts: number;
  originChanges: number;
  sessionBirths: number;
  grantBirths: number;
  /** Endings that edges are told, a second. */
  endings: number;
  events: number;
  sessions: number;
  grants: number;
  activeDevices: number;
};

/** What a workload means for a number of users. All rates are averages a second; multiply by `peakOverAverage` for the busiest hour. */
export function demandOf(users: number, { people, use }: Workload): Demand {
  const activeDevices = users * people.activeADay * people.devicesEach;
  const perSecond = (aDeviceDay: number) => (activeDevices * aDeviceDay) / secondsADay;
  // A visit begins with an access token that has lapsed; a longer one needs further ones.
  const refreshesAVisit = 1 + use.minutesAVisit / use.accessTokenMinutes;
  const visits = perSecond(use.visitsADay);
  const apiCalls = visits * use.callsAVisit;
  const signIns = perSecond(use.signInsADeviceDay);
  const furtherCodes = perSecond(use.furtherCodesADeviceDay);
  const signOuts = perSecond(use.signOutsADeviceDay);
  const originChanges = visits * use.visitsFromElsewhere;
  const grantBirths = signIns + furtherCodes;
  // A sign-out ends a session with its grants in one event. What lapses ends grant by grant, then the session.
  const endings = signIns + Math.max(0, grantBirths - signOuts * people.appsADevice);
  return {
    users,
    refreshes: visits * refreshesAVisit,
    apiCalls,
    introspections: apiCalls * use.callsIntrospected,
    signIns,
    furtherCodes,
    signOuts,
    originChanges,
    sessionBirths: signIns,
    grantBirths,
    endings,
    events: signIns + grantBirths + originChanges + endings,
    sessions: users * people.devicesEach * shareOfSessions(people),
    grants: users * people.devicesEach * people.activeAWeek * people.appsADevice,
    activeDevices,
  };
}

/** A session lives while its cookie does (30 days unused with "keep me signed in") or a grant does (7 days unused). */
function shareOfSessions(people: Workload['people']): number {
  return people.keepSignedIn * people.activeAMonth + (1 - people.keepSignedIn) * people.activeAWeek;
}

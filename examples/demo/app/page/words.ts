/** A duration in its two largest units: "1 min 30 s". `length` in seconds. */
export function duration(length: number): string {
  const seconds = Math.max(0, Math.trunc(length));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const parts =
    hours > 0 ? [`${hours} h`, minutes && `${minutes} min`] : [minutes && `${minutes} min`, `${seconds % 60} s`];
  return parts.filter((part) => part !== 0).join(' ');
}

/** How long ago a time was, in seconds since 1970: "12 s ago". */
export function ago(time: number, now: number): string {
  return now - time < 1 ? 'now' : `${duration(now - time)} ago`;
}

/** Milliseconds as they are shown: whole ones. */
export function milliseconds(length: number): string {
  return `${Math.max(1, Math.round(length))} ms`;
}

/** A number of times: "once", "3 times". */
export function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** The time of day of a time in seconds since 1970, to the second. */
export function timeOfDay(time: number): string {
  return new Date(time * 1000).toLocaleTimeString('en-GB');
}

/** The time in seconds since 1970. */
export function now(): number {
  return Date.now() / 1000;
}

/** Resolves after so many milliseconds. */
export function pause(lengthMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, lengthMs));
}

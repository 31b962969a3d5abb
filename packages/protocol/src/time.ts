/** A point in time (seconds since 1970-01-01T00:00:00Z) or a duration, in whole seconds, as in JWT (RFC 7519 section 2, NumericDate). */
export type Seconds = number;

export const minute: Seconds = 60;
export const hour: Seconds = 3600;
export const day: Seconds = 86_400;

/** A time or a duration in whole seconds, as JWT counts them (`NumericDate`, RFC 7519 section 2). */
export type Seconds = number;

/** How long, in milliseconds, a server that stops leaves idle connections open: longer than a request of the proxy in front is on its way. */
export const lingerMs = 1000;

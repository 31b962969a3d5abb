/** The version of this server, as its package.json says it; written down here because a bundle has no package.json beside it. */
export const version = '0.1.0';

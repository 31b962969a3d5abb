/** The password of ada and bob. It stands on the page and in the terminal: nobody reaches this server from outside. */
export const demoPassword = 'night-watchword';

const { issuer = '', api = '', app = '' } = document.documentElement.dataset;

/** Where the server, the API and this page are; the page says it. */
export const settings = { issuer, api, app, orders: `${api}/orders` } as const;

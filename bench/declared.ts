/** What `tessera-bench.yaml` declares, as far as the load generator says it too. The peer declares the same. */
export const declared = {
  user: { username: 'bench', password: 'bench password, of no worth' },
  web: {
    clientId: 'bench-web',
    clientSecret: 'bench-web.secret_0123456789abcdefghijklmnop',
    redirectUri: 'https://bench.example.com/callback',
  },
  machine: { clientId: 'bench-machine', clientSecret: 'bench-machine.secret_0123456789abcdefghijkl' },
  api: { clientId: 'bench-api', clientSecret: 'bench-api.secret_0123456789abcdefghijklmnop' },
  orders: { audience: 'https://api.example.com/orders', scope: 'orders:read' },
  reports: { audience: 'https://api.example.com/reports', scope: 'reports:read' },
  ledger: { audience: 'https://api.example.com/ledger', scope: 'ledger:read' },
} as const;

/** The Authorization header of client_secret_basic. Source: RFC 6749 section 2.3.1. */
export function basicAuthorization(client: { clientId: string; clientSecret: string }): string {
  return `Basic ${Buffer.from(`${client.clientId}:${client.clientSecret}`).toString('base64')}`;
}

// The API, in a process of its own: what it knows of sessions it knows from its edge.
import { untilAnswered } from '../local-http.ts';
import { endWithLauncher } from '../process-life.ts';
import { readSecrets, readSettings } from '../settings.ts';
import { createOrdersApi } from './orders-api.ts';

const settings = readSettings(process.env);
const api = createOrdersApi(settings, readSecrets(settings));
endWithLauncher(() => api.close());
await untilAnswered(`${settings.issuer}/ready`);
await api.listen(settings.ports.api);

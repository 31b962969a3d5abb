import type { Actor } from '../events/event-types.ts';

/** Who applies endings again: nobody asked for it but the restore. */
export const serverActor: Actor = { kind: 'server' };

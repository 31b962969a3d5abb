/** Tells the other tabs of this origin that the sign-in changed. Messages carry nothing else: tokens never leave the storage. */
export type TabChannel = { announce(): void; close(): void };

/** Opens the channel of a name; `onChange` is called when another tab announces a change. Does nothing where BroadcastChannel is missing. */
export function openTabChannel(name: string, onChange: () => void): TabChannel {
  if (typeof BroadcastChannel === 'undefined') return { announce: () => undefined, close: () => undefined };
  const channel = new BroadcastChannel(name);
  channel.onmessage = (message) => message.data === 'changed' && onChange();
  return { announce: () => channel.postMessage('changed'), close: () => channel.close() };
}

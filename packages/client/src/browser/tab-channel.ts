/** Tells the other tabs of this origin that the sign-in changed. Messages carry nothing else: tokens never leave the storage. */
export type TabChannel = { announce(): void; close(): void };

/** Opens the channel of a name; `onChange` is called when another tab announces a change. Does nothing where BroadcastChannel is missing. */
export function openTabChannel(name: string, onChange: () => void): TabChannel {
  if (typeof BroadcastChannel === 'undefined') return { announce: () => undefined, close: () => undefined };
  const channel = new BroadcastChannel(name);
  channel.onmessage = (message) => message.data === 'changed' && onChange();
  let isOpen = true;
  return {
    // A refresh that was under way may end after the client was closed, and a closed channel throws.
    announce: () => isOpen && channel.postMessage('changed'),
    close: () => {
      isOpen = false;
      channel.close();
    },
  };
}

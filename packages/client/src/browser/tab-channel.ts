/** Tells the other tabs of this origin that the sign-in changed. Messages carry nothing else: tokens never leave the storage. */
export type TabChannel = { announce(): void; close(): void };

/** Opens the channel of a name; `onChange` is called when another tab announces a change. Does nothing where BroadcastChannel is missing or denied. */
export function openTabChannel(name: string, onChange: () => void): TabChannel {
  const channel = openChannel(name);
  if (channel === undefined) return { announce: () => undefined, close: () => undefined };
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

/** Where site data is blocked, some browsers throw here; an app that could otherwise run must not fall over it. */
function openChannel(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined;
  }
}

/** The store cannot be used by this version: it belongs to a newer one, or is no store of Tessera at all. Waiting does not help. */
export class StoreNotUsable extends Error {
  readonly code = 'store_not_usable';
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StoreNotUsable';
  }
}

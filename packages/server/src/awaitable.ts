/** What is there at once or must be waited for: `await` takes both, and the first costs next to nothing. */
export type Awaitable<T> = T | Promise<T>;

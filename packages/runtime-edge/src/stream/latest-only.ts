/** Backpressure of a stream: one piece of work at a time, and of what comes meanwhile only the newest waits. */

/** Works on items. */
export interface LatestOnly<Item> {
  /** Items that were never worked on. */
  readonly dropped: number;
  push(item: Item): void;
  /** Drops what waits; resolves when nothing is under way. */
  stop(): Promise<void>;
}

/** @param work must not reject: what goes wrong is its own to tell. */
export function createLatestOnly<Item>(work: (item: Item) => Promise<void>): LatestOnly<Item> {
  let waiting: { readonly item: Item } | undefined;
  let current: Promise<void> | undefined;
  let dropped = 0;
  const advance = (): void => {
    const next = waiting;
    waiting = undefined;
    current = next && work(next.item).then(advance);
  };
  return {
    get dropped() {
      return dropped;
    },
    push(item) {
      if (waiting) dropped++;
      waiting = { item };
      if (!current) advance();
    },
    async stop() {
      if (waiting) dropped++;
      waiting = undefined;
      await current;
    },
  };
}

/** Web Locks: what tabs of one origin must not do at once, and what lives exactly as long as its page. */

const PREFIX = "distillate/";

/** Plain http and old browsers have none; then the last writer wins, as without this package. */
function locks(): LockManager | undefined {
  return (globalThis.navigator as Navigator | undefined)?.locks;
}

/** Runs work while no other tab runs work of the same name. */
export async function withLock<Value>(name: string, work: () => Promise<Value>): Promise<Value> {
  const manager = locks();
  if (!manager) return work();
  let begun = false;
  try {
    return (await manager.request(PREFIX + name, () => {
      begun = true;
      return work();
    })) as Value;
  } catch (error) {
    // A sandboxed frame has locks but may not ask for them; it shares nothing with other tabs either.
    if (begun) throw error;
    return work();
  }
}

/** Holds a name until it is released or the page dies. */
export function holdName(name: string): () => void {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  locks()
    ?.request(PREFIX + name, () => held)
    // A page that is torn down while it waits; nobody is left to care.
    .catch(() => {});
  return release;
}

/** Names that are held in any tab. */
export async function heldNames(): Promise<ReadonlySet<string>> {
  const { held = [], pending = [] } =
    (await locks()
      ?.query()
      .catch(() => undefined)) ?? {};
  const names = [...held, ...pending].map(({ name }) => name ?? "");
  return new Set(names.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length)));
}

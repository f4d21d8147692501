import type { Store } from "./store.ts";

const DIRECTORY = "distillate-1";

/** The origin private file system. A writable stream replaces its file only when it is closed. */
export async function opfsStore(): Promise<Store> {
  const root = await navigator.storage.getDirectory();
  const directory = await root.getDirectoryHandle(DIRECTORY, { create: true });
  const fileName = (key: string): string => key.replaceAll("/", "-");
  const keyName = (name: string): string => name.replace("-", "/");
  const missing = (error: unknown): undefined => {
    if ((error as DOMException).name === "NotFoundError") return undefined;
    throw error;
  };
  return {
    kind: "opfs",
    async read(key) {
      const handle = await directory.getFileHandle(fileName(key)).catch(missing);
      return handle && new Uint8Array(await (await handle.getFile()).arrayBuffer());
    },
    async write(key, bytes) {
      const handle = await directory.getFileHandle(fileName(key), { create: true });
      const stream = await handle.createWritable();
      await stream.write(bytes as Uint8Array<ArrayBuffer>);
      await stream.close();
    },
    remove: (key) => directory.removeEntry(fileName(key)).catch(missing),
    async list() {
      const entries: { key: string; bytes: number }[] = [];
      for await (const [name, handle] of directory as unknown as AsyncIterable<[string, FileSystemFileHandle]>) {
        // A file that another tab is still writing has another name until it is whole.
        if (!name.endsWith(".crswap")) entries.push({ key: keyName(name), bytes: (await handle.getFile()).size });
      }
      return entries;
    },
  };
}

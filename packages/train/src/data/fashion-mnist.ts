/**
 * Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747; MIT licence): 60,000 and 10,000 gray pictures of clothes, 28 x 28.
 */
import { createHash } from "node:crypto";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DistillateError } from "@distillate/bundle";
import { writeFileAtomic } from "../atomic-write.ts";
import type { Dataset, LoadOptions } from "./dataset.ts";
import { loadIdxDirectory } from "./idx-directory.ts";

const LABELS = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"];
/** Where Debian's package `dataset-fashion-mnist` puts it. */
const DEBIAN = "/usr/share/datasets/fashion-mnist";
const HOME = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com";

/** SHA-256 of each file once unpacked (gzip may differ from copy to copy), and its size. */
const FILES: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[] = [
  {
    name: "train-images-idx3-ubyte",
    bytes: 47_040_016,
    sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
  },
  {
    name: "train-labels-idx1-ubyte",
    bytes: 60_008,
    sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
  },
  {
    name: "t10k-images-idx3-ubyte",
    bytes: 7_840_016,
    sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
  },
  {
    name: "t10k-labels-idx1-ubyte",
    bytes: 10_008,
    sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
  },
];

/** Where {@link loadFashionMnist} looks, beside {@link LoadOptions}. */
export interface FashionMnistOptions extends Pick<LoadOptions, "cacheDir" | "onEvent"> {
  /** The directory of the four idx files; without it Debian's is tried, then the cache, then the official home. */
  readonly directory?: string;
  readonly debian?: string;
  readonly home?: string;
}

/**
 * Loads Fashion-MNIST.
 *
 * @throws DistillateError as `loadIdxDirectory`; `data-missing` when it is nowhere and cannot be downloaded; `data-corrupted` when
 * what was downloaded has another hash.
 */
export async function loadFashionMnist(options: FashionMnistOptions): Promise<Dataset> {
  const { directory, debian = DEBIAN, cacheDir } = options;
  const load = (from: string): Promise<Dataset> => loadIdxDirectory(from, "fashion-mnist", LABELS);
  if (directory !== undefined) return load(directory);
  if (await exists(debian)) return load(debian);
  await download(join(cacheDir, "fashion-mnist"), options);
  return load(join(cacheDir, "fashion-mnist"));
}

async function download(to: string, { home = HOME, onEvent }: FashionMnistOptions): Promise<void> {
  for (const [index, { name, bytes, sha256 }] of FILES.entries()) {
    if (await exists(join(to, name))) continue;
    onEvent?.({ kind: "progress", what: "files of Fashion-MNIST fetched", done: index, total: FILES.length });
    const url = `${home}/${name}.gz`;
    const packed = await fetchBytes(url, bytes);
    const content = await promisify(gunzip)(packed, { maxOutputLength: bytes }).catch((error: unknown) => {
      throw corrupted(url, `is no gzip of ${bytes} bytes (${(error as Error).message})`);
    });
    const found = createHash("sha256").update(content).digest("hex");
    if (found !== sha256) throw corrupted(url, `unpacks to SHA-256 ${found}, expected ${sha256}`);
    await writeFileAtomic(join(to, name), content);
  }
}

async function fetchBytes(url: string, limit: number): Promise<Uint8Array> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(300_000) });
    if (!response.ok || response.body === null) throw new Error(`the server answers ${response.status}`);
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of response.body) {
      length += part.byteLength;
      if (length > limit) throw new Error(`it is larger than ${limit} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  } catch (error) {
    const { message, cause } = error as Error;
    throw new DistillateError({
      code: "data-missing",
      message: `Fashion-MNIST is not in ${DEBIAN} and ${url} cannot be fetched: ${cause instanceof Error ? cause.message : message}`,
      hint: "Install Debian's package dataset-fashion-mnist, or give the directory of the four idx files with --data DIR.",
      cause: error,
    });
  }
}

function corrupted(url: string, what: string): DistillateError {
  return new DistillateError({
    code: "data-corrupted",
    message: `${url} ${what}`,
    hint: "Try again, or give the directory of the four idx files with --data DIR.",
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

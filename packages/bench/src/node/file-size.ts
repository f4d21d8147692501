/** What a model weighs on disk and on its way to a device. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** Sizes of one file. */
export interface FileSize {
  readonly bytes: number;
  /** At level 9. */
  readonly gzipBytes: number;
  /** As a server that compresses once and well sends it: quality 11, above 2 MB 9, which is many times faster. */
  readonly brotliBytes: number;
  readonly sha256: string;
}

/** Measures a file. */
export async function sizeOf(path: string): Promise<FileSize> {
  const content = await readFile(path);
  const quality = content.byteLength > 2_000_000 ? 9 : 11;
  const [zipped, packed] = await Promise.all([
    promisify(gzip)(content, { level: 9 }),
    promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }),
  ]);
  return {
    bytes: content.byteLength,
    gzipBytes: zipped.byteLength,
    brotliBytes: packed.byteLength,
    sha256: createHash("sha256").update(content).digest("hex"),
  };
}

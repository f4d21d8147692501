/**
 * What tfjs means by "same", with extent = (kernel - 1) dilation + 1:
 *
 *   out = ceil(size / stride)        total = max((out - 1) stride + extent - size, 0), the smaller half first
 *
 * So a window of stride 2 on an even size pads only at the end; symmetric padding would be off by a pixel.
 */

/** See the file's header; of one axis. */
export function samePadding(
  size: number,
  extent: number,
  stride: number,
): { readonly out: number; readonly begin: number; readonly end: number } {
  const out = Math.ceil(size / stride);
  const total = Math.max((out - 1) * stride + extent - size, 0);
  return { out, begin: Math.floor(total / 2), end: Math.ceil(total / 2) };
}

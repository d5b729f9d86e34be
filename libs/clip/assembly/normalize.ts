/**
 * Pixels → pixel_values in WebAssembly (AssemblyScript, not TypeScript: pointers are byte offsets into the module's
 * memory). Each value is looked up in a table of 256 for each channel.
 */

/**
 * `rows` rows of `width` RGB pixels to a plane of `rows × width` floats for each channel, one plane after the other.
 * @param values f32 [3, 256]
 * @param mirrored whether to write each row from its end
 */
export function normalize(
  pixels: usize,
  rows: i32,
  width: i32,
  values: usize,
  out: usize,
  mirrored: bool,
): void {
  const plane = (<usize>(rows * width)) << 2;
  const step: isize = mirrored ? -4 : 4;
  const rowBytes = (<usize>width) << 2;
  for (let y = 0; y < rows; y++, out += rowBytes) {
    let red = out + (mirrored ? rowBytes - 4 : 0);
    for (const end = pixels + <usize>width * 3; pixels < end; pixels += 3, red += step) {
      const green = red + plane;
      store<f32>(red, load<f32>(values + ((<usize>load<u8>(pixels)) << 2)));
      store<f32>(green, load<f32>(values + ((<usize>load<u8>(pixels, 1)) << 2), 1024));
      store<f32>(green + plane, load<f32>(values + ((<usize>load<u8>(pixels, 2)) << 2), 2048));
    }
  }
}

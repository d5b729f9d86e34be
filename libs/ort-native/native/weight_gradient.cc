/**
 * Both operands have the summed axis as rows, so a few columns of a row are neighbours in memory on both sides: what a
 * kernel with its sums in registers reads is packed by plain copies, where a product of rows with columns has to
 * transpose. The blocking is that of Goto & van de Geijn 2008.
 */
#include "weight_gradient.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "clones.h"

namespace kernels {
namespace {

/** Rows of the operands that are packed at a time: both packed parts stay in the second-level cache. */
constexpr size_t kDepth = 256;
constexpr size_t kTileRows = 192;
constexpr size_t kTileColumns = 256;
/** Tiles begin at multiples of these, which are multiples of what every instruction set keeps in registers. */
constexpr size_t kRowStep = 12;
constexpr size_t kColumnStep = 32;

// One by one: GCC ignores a size that depends on a template's argument.
template <size_t Lanes>
struct VectorOf;
template <>
struct VectorOf<4> {
  using Type = float __attribute__((vector_size(16)));
};
template <>
struct VectorOf<8> {
  using Type = float __attribute__((vector_size(32)));
};
template <>
struct VectorOf<16> {
  using Type = float __attribute__((vector_size(64)));
};

size_t RoundUp(size_t n, size_t step) { return (n + step - 1) / step * step; }

/** rows … rows + count of x [K, width] from column `begin` to `end`, in strips of `Strip` columns, zeros behind the
 * last. */
template <size_t Strip>
INLINE void Pack(const float* x, size_t width, size_t rows, size_t begin, size_t end, float* packed) {
  for (size_t c = begin; c < end; c += Strip) {
    const size_t used = std::min(Strip, end - c);
    for (size_t k = 0; k < rows; k++) {
      const float* source = x + k * width + c;
      if (used == Strip) {
        std::memcpy(packed, source, Strip * sizeof(float));
      } else {
        for (size_t i = 0; i < Strip; i++) packed[i] = i < used ? source[i] : 0.0f;
      }
      packed += Strip;
    }
  }
}

/** Adds to (or sets, at the first rows) the part of a result that one strip of each operand gives. */
template <size_t Rows, size_t Lanes>
INLINE void Strips(size_t depth, const float* left, const float* right, bool first, float factor, float* result,
                   size_t stride, size_t rows, size_t columns) {
  using Vector = typename VectorOf<Lanes>::Type;
  Vector sums[Rows][2] = {};
  for (size_t k = 0; k < depth; k++) {
    Vector low, high;
    std::memcpy(&low, right, sizeof low);
    std::memcpy(&high, right + Lanes, sizeof high);
#pragma GCC unroll 16
    for (size_t r = 0; r < Rows; r++) {
      sums[r][0] += low * left[r];
      sums[r][1] += high * left[r];
    }
    left += Rows;
    right += 2 * Lanes;
  }
#pragma GCC unroll 16
  for (size_t r = 0; r < Rows; r++) {
    if (r >= rows) break;
    float* target = result + r * stride;
    if (columns == 2 * Lanes) {
      Vector low = {}, high = {};
      if (!first) {
        std::memcpy(&low, target, sizeof low);
        std::memcpy(&high, target + Lanes, sizeof high);
      }
      low += sums[r][0] * factor;
      high += sums[r][1] * factor;
      std::memcpy(target, &low, sizeof low);
      std::memcpy(target + Lanes, &high, sizeof high);
    } else {
      float values[2 * Lanes];
      std::memcpy(values, &sums[r][0], sizeof(Vector));
      std::memcpy(values + Lanes, &sums[r][1], sizeof(Vector));
      for (size_t c = 0; c < columns; c++) target[c] = (first ? 0.0f : target[c]) + values[c] * factor;
    }
  }
}

/** `Rows` × 2 · `Lanes` sums are kept in registers. */
template <size_t Rows, size_t Lanes>
INLINE void ComputeTile(const ProductShape& shape, const Tile& tile, float factor, const float* left,
                        const float* right, float* result) {
  constexpr size_t kColumns = 2 * Lanes;
  // Kept by each thread from call to call; 64 bytes are a line of the cache.
  static thread_local std::vector<float> workspace((kTileRows + kTileColumns) * kDepth + 16);
  float* packed_right = workspace.data() + (64 - reinterpret_cast<uintptr_t>(workspace.data()) % 64) / sizeof(float);
  float* packed_left = packed_right + kTileColumns * kDepth;
  for (size_t r = 0; shape.K == 0 && r < tile.rows; r++) {
    float* row = result + (tile.row + r) * shape.N + tile.column;
    std::fill(row, row + tile.columns, 0.0f);
  }
  for (size_t k = 0; k < shape.K; k += kDepth) {
    const size_t depth = std::min(kDepth, shape.K - k);
    Pack<Rows>(left + k * shape.M, shape.M, depth, tile.row, tile.row + tile.rows, packed_left);
    Pack<kColumns>(right + k * shape.N, shape.N, depth, tile.column, tile.column + tile.columns, packed_right);
    for (size_t c = 0; c < tile.columns; c += kColumns) {
      for (size_t r = 0; r < tile.rows; r += Rows) {
        Strips<Rows, Lanes>(depth, packed_left + r * depth, packed_right + c * depth, k == 0, factor,
                            result + (tile.row + r) * shape.N + tile.column + c, shape.N, std::min(Rows, tile.rows - r),
                            std::min(kColumns, tile.columns - c));
      }
    }
  }
}

using Compute = void (*)(const ProductShape&, const Tile&, float, const float*, const float*, float*);

/** What the registers of the compiler's own target hold. */
#if defined(__AVX512F__)
constexpr size_t kOwnRows = 12, kOwnLanes = 16;
#elif defined(__AVX2__)
constexpr size_t kOwnRows = 6, kOwnLanes = 8;
#else
constexpr size_t kOwnRows = 6, kOwnLanes = 4;
#endif

void Baseline(const ProductShape& shape, const Tile& tile, float factor, const float* left, const float* right,
              float* result) {
  ComputeTile<kOwnRows, kOwnLanes>(shape, tile, factor, left, right, result);
}

#if defined(TARGETS)
__attribute__((target("avx2,fma"))) void Avx2(const ProductShape& shape, const Tile& tile, float factor,
                                              const float* left, const float* right, float* result) {
  ComputeTile<6, 8>(shape, tile, factor, left, right, result);
}

__attribute__((target("avx512f"))) void Avx512(const ProductShape& shape, const Tile& tile, float factor,
                                               const float* left, const float* right, float* result) {
  ComputeTile<12, 16>(shape, tile, factor, left, right, result);
}

Compute Choose() {
  if (__builtin_cpu_supports("avx512f")) return Avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Avx2;
  return Baseline;
}
#else
Compute Choose() { return Baseline; }
#endif

/** n in equal parts of at most `most`, a multiple of `step`; the size of a part. */
size_t PartOf(size_t n, size_t most, size_t step) {
  const size_t parts = std::max<size_t>(1, (n + most - 1) / most);
  return std::max(step, RoundUp((n + parts - 1) / parts, step));
}

/** Enough work for the threads of a machine; more would only make more partial sums. */
constexpr size_t kTasks = 16;
constexpr size_t kPartRows = 2048;

}  // namespace

Tiling::Tiling(const ProductShape& product) : shape(product) {
  rows = PartOf(shape.M, kTileRows, kRowStep);
  columns = PartOf(shape.N, kTileColumns, kColumnStep);
  across = (shape.N + columns - 1) / columns;
  tiles = (shape.M + rows - 1) / rows * across;
  const size_t wanted = tiles == 0 ? 1 : std::min(kTasks / std::min(tiles, kTasks), shape.K / kPartRows);
  depth = PartOf(shape.K, (shape.K + std::max<size_t>(1, wanted) - 1) / std::max<size_t>(1, wanted) + 1, kDepth);
  parts = std::max<size_t>(1, (shape.K + depth - 1) / depth);
}

Tile Tiling::at(size_t i) const {
  const size_t row = i / across * rows;
  const size_t column = i % across * columns;
  return {row, std::min(rows, shape.M - row), column, std::min(columns, shape.N - column)};
}

void TransposedProduct(const Tiling& tiling, size_t tile, size_t part, float factor, const float* left,
                       const float* right, float* result) {
  static const Compute compute = Choose();
  const auto& [K, M, N] = tiling.shape;
  const size_t begin = part * tiling.depth;
  const ProductShape shape = {std::min(tiling.depth, K - begin), M, N};
  compute(shape, tiling.at(tile), factor, left + begin * M, right + begin * N, result);
}

}  // namespace kernels

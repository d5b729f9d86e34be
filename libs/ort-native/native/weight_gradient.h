/**
 * The product of a weight's gradient. Letters: K rows of both operands (samples), M and N columns of the left and the
 * right one.
 */
#pragma once

#include <cstddef>

namespace kernels {

struct ProductShape {
  size_t K, M, N;
};

/** A part of the result that one thread computes. */
struct Tile {
  size_t row, rows, column, columns;
};

/**
 * How a result is cut into tiles, and its sums into parts where there are few tiles and many rows; follows from the
 * shape alone.
 */
struct Tiling {
  explicit Tiling(const ProductShape&);
  Tile at(size_t i) const;

  ProductShape shape;
  /** Of a tile and of a part; those at the end have fewer. */
  size_t rows, columns, depth;
  size_t across, tiles, parts;
};

/**
 * One tile of one part of factor · leftᵀ · right, left [K, M], right [K, N], in `result` [M, N]: the sum over the rows
 * of the part, in their order.
 */
void TransposedProduct(const Tiling&, size_t tile, size_t part, float factor, const float* left, const float* right,
                       float* result);

}  // namespace kernels

/** The fused ops as custom ops of ONNX Runtime, in the domain kDomain. */
#pragma once

#include "ort_api.h"

namespace custom_ops {

constexpr const char* kDomain = "ort.native";

/**
 * LayerNormGradient(dy [..,D], x [..,D], gamma [D], mean [..,1], inverse [..,1]) → dx, d_gamma [D], d_beta [D]
 * AddLayerNorm(a [..,D], b [..,D], gamma [D], beta [D]; epsilon) → sum, y, mean [..,1], inverse [..,1]
 * BiasGelu(x [..,D], bias [D]) → y
 * BiasGeluGradient(dy [..,D], x [..,D], bias [D]) → dx, d_bias [D]
 * BiasQuickGelu, BiasQuickGeluGradient: the same for z·σ(1.702 z)
 * BiasRectify(x [..,D], bias [D]; highest) → y
 * RectifierGradient(dy [..,D], y [..,D]; highest) → dx, d_bias [D]
 * DepthwiseConv(x [N,H,W,C], filter [R,S,C]) → y [N,P,Q,C]
 * DepthwiseConvInputGradient(dy [N,P,Q,C], filter [R,S,C]) → dx [N,H,W,C]
 * DepthwiseConvFilterGradient(x [N,H,W,C], dy [N,P,Q,C]) → d_filter [R,S,C]
 *   with stride_height, stride_width, pad_top, pad_left, dilation_height, dilation_width, and height and width of the
 *   result's cells or taps.
 * TransposedGemm(left [K,M], right [K,N]; alpha) → alpha · leftᵀ · right [M,N]
 * AdamW(param, m, v, grad, lr [], clip [], correction1 [], correction2 []; beta1, one_minus_beta1, beta2,
 *       one_minus_beta2, epsilon, weight_decay) → updated [] = the number of elements.
 *   Writes param, m and v in place, so a graph may hold it only where nothing else reads them.
 */
ort::Status* CreateDomain(ort::Table, ort::CustomOpDomain** out);

}  // namespace custom_ops

/** The ops by what they are for; each list lives as long as the process. */
#pragma once

#include <iterator>

#include "op.h"

namespace custom_ops {

struct Ops {
  const Op* first;
  const Op* last;
  const Op* begin() const { return first; }
  const Op* end() const { return last; }
};

Ops RowOps();
Ops ConvolutionOps();
Ops ProductOps();
Ops OptimizerOps();

}  // namespace custom_ops

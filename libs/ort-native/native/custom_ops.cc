#include "custom_ops.h"

#include "ops.h"

namespace custom_ops {

Status* CreateDomain(Table api, ort::CustomOpDomain** out) {
  Status* status = ort::CreateCustomOpDomain::call(api, kDomain, out);
  for (const Ops& ops : {RowOps(), ConvolutionOps(), ProductOps(), OptimizerOps()}) {
    for (const Op& op : ops) {
      if (status == nullptr) status = ort::CustomOpDomainAdd::call(api, *out, &op);
    }
  }
  return status;
}

}  // namespace custom_ops

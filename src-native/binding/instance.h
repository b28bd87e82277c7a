// What the addon keeps for one environment from its load to its end.
#ifndef NSCLONE_BINDING_INSTANCE_H_
#define NSCLONE_BINDING_INSTANCE_H_

#include <node_api.h>

#include "binding/lent.h"

namespace nsclone {

class Environment;

struct Instance {
  static Instance* Of(napi_env env) {
    void* data = nullptr;
    napi_get_instance_data(env, &data);
    return static_cast<Instance*>(data);
  }

  Lent lent;
  // From the first child on, until its end begins.
  Environment* environment = nullptr;
};

}  // namespace nsclone

#endif  // NSCLONE_BINDING_INSTANCE_H_

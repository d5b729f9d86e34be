#pragma once

#include <node_api.h>

/** Adds the functions of device_addon.cc to the addon's exports. */
void ExportDevice(napi_env, napi_value exports);

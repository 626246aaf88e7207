// For the sources of plugins: what Plugin (plugin.h) finds by name. Each exports
//   const char* cpm_plugin_version()                                     CPM_VERSION
//   void cpm_plugin_missing(const Exec&, std::string* reason)            why it does not work there, or ""
// and a function an op that returns its kernels (cpm_plugin_conv2d ...).
#pragma once

#define CPM_PLUGIN_EXPORT extern "C" __attribute__((visibility("default")))

// A plugin of another version.
extern "C" const char* cpm_plugin_version() {
  return "0.0.0";
}

// A plugin that needs a library which is not found at run time.
extern "C" int cpm_test_absent();
extern "C" int cpm_plugin_version() {
  return cpm_test_absent();
}

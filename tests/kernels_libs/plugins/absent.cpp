// A library that is there to link with and not there to run with.
extern "C" int cpm_test_absent() {
  return 7;
}

// The main function of the unit tests, where Catch2 is version 2 (version 3 brings its own).
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

// What this process has used so far, for benchmarks that judge their samples by it.
#pragma once

namespace engine {

/// User and system time of all its threads, in seconds. Sleeps 0.3 ms first: call it outside what is timed.
double processor_seconds();

/// The most memory it ever had resident, in MB of 2^20 bytes.
double peak_resident_mb();

}  // namespace engine

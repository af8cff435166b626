#pragma once

#include <string>

namespace bert_native {

// Processors that this process's control groups grant it per unit of time (1.5: one and a half), the least along the
// way up to the root of the hierarchy, v1 and v2; infinity where there is no quota, no cgroups or no Linux. Every path
// that is read starts with `root`: empty for the machine's own files.
double cgroup_cpu_quota(const std::string& root);

}  // namespace bert_native

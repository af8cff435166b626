#include "common/cpu_quota.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <vector>

namespace bert_native {

namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

bool contains(const std::vector<std::string>& parts, const std::string& part) {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

// A mounted hierarchy that may limit processors.
struct Hierarchy {
  bool v2 = false;
  std::string mount_root;   // the group that is seen at the mount point
  std::string mount_point;  // a folder
};

// proc_pid_mountinfo(5): id parent major:minor root mount-point options [optional…] - type source super-options
std::vector<Hierarchy> mounted_hierarchies(const std::string& root) {
  std::vector<Hierarchy> hierarchies;
  std::ifstream mounts(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const std::vector<std::string> fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 6 || fields.end() - dash < 4) continue;
    const std::string& type = dash[1];
    const bool v1_cpu = type == "cgroup" && contains(split(dash[3], ','), "cpu");
    if (type == "cgroup2" || v1_cpu) hierarchies.push_back({type == "cgroup2", fields[3], fields[4]});
  }
  return hierarchies;
}

// The path of this process's group in a hierarchy. cgroups(7): hierarchy:controllers:path, and 0::path for v2.
std::string own_group(const std::string& root, bool v2) {
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (v2 ? controllers.empty() : contains(split(controllers, ','), "cpu")) return line.substr(second + 1);
  }
  return "/";
}

double group_quota(const std::string& folder, bool v2) {
  double quota_us = 0, period_us = 0;
  if (v2) {
    std::ifstream limit(folder + "/cpu.max");  // "max 100000" fails to read as a number: no quota
    if (!(limit >> quota_us >> period_us)) return kNoQuota;
  } else {
    std::ifstream quota(folder + "/cpu.cfs_quota_us"), period(folder + "/cpu.cfs_period_us");
    if (!(quota >> quota_us) || !(period >> period_us)) return kNoQuota;
  }
  return quota_us > 0 && period_us > 0 ? quota_us / period_us : kNoQuota;
}

double hierarchy_quota(const std::string& root, const Hierarchy& hierarchy) {
  std::string group = own_group(root, hierarchy.v2);
  // In a container the mount may show only the container's own group, whose full path stands in /proc/self/cgroup.
  if (hierarchy.mount_root != "/" && group.starts_with(hierarchy.mount_root)) {
    group.erase(0, hierarchy.mount_root.size());
  }
  double least = kNoQuota;
  for (;;) {
    least = std::min(least, group_quota(root + hierarchy.mount_point + group, hierarchy.v2));
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos) return least;
    group.erase(slash);
  }
}

}  // namespace

double cgroup_cpu_quota(const std::string& root) {
  double least = kNoQuota;
  for (const Hierarchy& hierarchy : mounted_hierarchies(root))
    least = std::min(least, hierarchy_quota(root, hierarchy));
  return least;
}

}  // namespace bert_native

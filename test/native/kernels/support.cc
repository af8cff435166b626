#include "kernels/support.h"

#include <algorithm>
#include <cstdio>

#include "common/cpu_features.h"

namespace bert_native::test {

namespace {

bool runs_here(Isa isa) {
  const std::vector<Isa>& available = available_isas();
  return std::find(available.begin(), available.end(), isa) != available.end();
}

void add_skipped_isas() {
  for (const Isa isa : kAllIsas) {
    if (kernel_table(isa) == nullptr) {
      add_skipped(std::string("kernels/") + isa_name(isa), "belongs to another architecture");
    } else if (!runs_here(isa)) {
      add_skipped(std::string("kernels/") + isa_name(isa), "this processor lacks it, so its kernels were NOT tested");
    }
  }
}

const Registration registration(add_skipped_isas);

}  // namespace

void add_kernel_test(const std::string& statement, KernelTest body) {
  for (const Isa isa : kAllIsas) {
    const KernelTable* kernels = kernel_table(isa);
    if (kernels == nullptr || !runs_here(isa)) continue;
    add(std::string("kernels/") + isa_name(isa) + "/" + statement, [=] { body(*kernels); });
  }
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

}  // namespace bert_native::test

#include "common/cpu_features.h"
#include "kernels/support.h"

namespace bert_native::test {

namespace {

void every_available_isa_has_its_table() {
  for (const Isa isa : available_isas()) {
    const KernelTable* kernels = kernel_table(isa);
    BN_CHECK(kernels != nullptr, std::string("no table for ") + isa_name(isa));
    BN_CHECK(kernels->isa == isa, std::string("the table of ") + isa_name(isa) + " is another's");
  }
}

void the_selected_table_is_that_of_the_selected_isa() {
  BN_CHECK(selected_kernels().isa == selected_isa(), "another table was selected");
}

void add_tests() {
  add("kernels/dispatch: every available instruction set has its table", every_available_isa_has_its_table);
  add("kernels/dispatch: the selected table is that of the selected instruction set",
      the_selected_table_is_that_of_the_selected_isa);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test

#pragma once

#include "kernels/kernel_table.h"

namespace bert_native::test {

// The scalar table with the products of native/kernels/amx, whose tile unit is emulated in plain C++: so they are
// tested on every machine.
const KernelTable& emulated_amx_kernels();

}  // namespace bert_native::test

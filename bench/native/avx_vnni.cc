#include "kernels/avx_vnni/int8.h"
#include "loops.h"

namespace bert_native::avx_vnni {

const MultiplyAddLoop kInt8Loop = make_int8_loop<Int8Dot>();

}  // namespace bert_native::avx_vnni

#include "kernels/avx512_bf16/bf16.h"
#include "loops.h"

namespace bert_native::avx512_bf16 {

const MultiplyAddLoop kBf16Loop = make_bf16_loop<Bf16Dot>();

}  // namespace bert_native::avx512_bf16

#include "kernels/avx512/int8.h"
#include "kernels/avx512/vector.h"
#include "loops.h"

namespace bert_native::avx512 {

const PeakLoops kPeakLoops = make_peak_loops<Vector>();
const MultiplyAddLoop kInt8Loop = make_int8_loop<Int8Dot>();

}  // namespace bert_native::avx512

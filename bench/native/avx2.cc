#include "kernels/avx2/int8.h"
#include "kernels/avx2/vector.h"
#include "loops.h"

namespace bert_native::avx2 {

const PeakLoops kPeakLoops = make_peak_loops<Vector>();
const MultiplyAddLoop kInt8Loop = make_int8_loop<Int8Dot>();

}  // namespace bert_native::avx2

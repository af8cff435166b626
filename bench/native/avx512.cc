#include "kernels/avx512/vector.h"
#include "loops.h"

namespace bert_native::avx512 {

const PeakLoops kPeakLoops = make_peak_loops<Vector>();

}  // namespace bert_native::avx512

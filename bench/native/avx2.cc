#include "kernels/avx2/vector.h"
#include "loops.h"

namespace bert_native::avx2 {

const PeakLoops kPeakLoops = make_peak_loops<Vector>();

}  // namespace bert_native::avx2

#include "kernels/neon/vector.h"
#include "loops.h"

namespace bert_native::neon {

const PeakLoops kPeakLoops = make_peak_loops<Vector>();

}  // namespace bert_native::neon

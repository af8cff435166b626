#pragma once

namespace bert_native {

// Node unloads an addon when the last worker that loaded it ends, though the library's threads still run its code.
// This takes one more reference, never given back, so that the code stays where it is until the process ends.
void keep_module_loaded();

}  // namespace bert_native

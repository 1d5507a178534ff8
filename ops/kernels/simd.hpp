// Highway with the instruction sets that kernels are compiled for: a baseline for any processor, SSE4, AVX2
// and AVX-512, or NEON; the processor's best one is chosen when the program runs. A source that includes this
// sets HWY_TARGET_INCLUDE to its own name and includes hwy/foreach_target.h next.
#pragma once

// Vectors of unknown length cannot be members of an array, and SSSE3 without SSE4 is too old to matter.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

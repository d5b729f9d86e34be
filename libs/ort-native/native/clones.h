/**
 * On x86-64 each kernel is compiled for AVX-512, AVX2 and the baseline, and the dynamic linker picks one; on arm64 NEON
 * is the baseline. TARGETS: functions may name their instruction set themselves. With ORT_NATIVE_NO_CLONES the
 * compiler's own target is the only one.
 */
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(ORT_NATIVE_NO_CLONES)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#define TARGETS
#else
#define CLONES
#endif
#define INLINE inline __attribute__((always_inline))

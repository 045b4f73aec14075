/* Whole sequences of a recurrence, forward and backward, on CPU: see ../fused.py for the layout of the arrays.
 *
 * A C ABI and no headers of torch: the BLAS set by `fused_use_blas_*` computes the products that are not our own. The code
 * that depends on the type of the numbers is in recurrences.inc, included once for float and once for double.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && !defined(FUSED_NO_CLONES)
#define DISPATCHED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DISPATCHED
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(FUSED_NO_CLONES)
#define OWN_PRODUCTS
#endif

#define EXPORTED __attribute__((visibility("default")))

enum kind { ELMAN, LSTM, GRU_AFTER, GRU_BEFORE };
enum activation { TANH, RELU, LOGISTIC, IDENTITY };

/* CBLAS's numbers for what follows, MKL's for packed products. */
enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112, PACKED = 151, B_MATRIX = 162 };

/* Which BLAS: its product, and where it has them (MKL) products with a packed matrix and a limit to one thread. */
typedef int (*local_threads_fn)(int);
static local_threads_fn local_threads = NULL;

EXPORTED void fused_use_threads(void *set_local_threads) { local_threads = (local_threads_fn)set_local_threads; }

/* Our own products: for processors with AVX-512 alone. A tile of the result has at most MOST_ROWS rows; DEPTH numbers of
 * the inner dimension are run through at a time. Gradients of weights are computed PART rows at a time, products over all
 * steps BLOCK rows at a time.
 * Products of FEW_ROWS or fewer have tiles of up to WIDEST vectors. Steps of FEWEST rows or more, taken over the batch,
 * compute their own part of a product instead of one product for all steps. */
enum {
    MOST_ROWS = 14, FEW_ROWS = 3, WIDEST = 8, DEPTH = 256, TILES_AT_ONCE = 8, PART = TILES_AT_ONCE * MOST_ROWS, BLOCK = 64,
    FEWEST = 8,
};

EXPORTED int fused_has_own_products(void) {
#ifdef OWN_PRODUCTS
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") != 0;
#else
    return 0;
#endif
}

/* Rows of a packed array: shard by shard, in a shard step by step, in a step the samples still alive, longest first.
 *
 * lengths:  [B]; order: [B] out, the samples shard by shard; counts: [shards, T] out, samples alive;
 * firsts:   [shards + 1] out, the first sample of each shard in `order`; starts: [shards + 1] out, its first row;
 * index:    [sum of lengths] out, for each row the place b * T + t in a [B, T] array.
 * Returns the number of rows, -1 without memory, or -2 if a length is not 0 to T.
 */
EXPORTED int64_t fused_layout(const int64_t *lengths, int64_t B, int64_t T, int64_t shards, int64_t *order,
                              int64_t *counts, int64_t *firsts, int64_t *starts, int64_t *index) {
    for (int64_t b = 0; b < B; b++)
        if (lengths[b] < 0 || lengths[b] > T) return -2;
    int64_t *sorted = malloc((size_t)B * sizeof *sorted), *bucket = calloc((size_t)T + 2, sizeof *bucket);
    if (!sorted || !bucket) {
        free(sorted);
        free(bucket);
        return -1;
    }
    for (int64_t b = 0; b < B; b++) bucket[T - lengths[b] + 1]++;
    for (int64_t length = 0; length <= T; length++) bucket[length + 1] += bucket[length];
    for (int64_t b = 0; b < B; b++) sorted[bucket[T - lengths[b]]++] = b; /* longest first, stable */
    int64_t place = 0, row = 0;
    for (int64_t shard = 0; shard < shards; shard++) {
        firsts[shard] = place;
        starts[shard] = row;
        for (int64_t s = shard; s < B; s += shards) order[place++] = sorted[s]; /* dealt out like cards */
        int64_t alive = place - firsts[shard];
        for (int64_t t = 0; t < T; t++) {
            while (alive > 0 && lengths[order[firsts[shard] + alive - 1]] <= t) alive--;
            counts[shard * T + t] = alive;
            for (int64_t s = 0; s < alive; s++) index[row++] = order[firsts[shard] + s] * T + t;
        }
    }
    firsts[shards] = place;
    starts[shards] = row;
    free(sorted);
    free(bucket);
    return row;
}

/* to[row] = from[index[row]], and to[index[row]] = from[row], for rows of `width` bytes. */
EXPORTED void fused_gather(const char *from, const int64_t *index, int64_t rows, int64_t width, int64_t threads, char *to) {
#ifdef _OPENMP
#pragma omp parallel for num_threads((int)threads) schedule(static) if (threads > 1 && rows * width > 65536)
#endif
    for (int64_t row = 0; row < rows; row++) memcpy(to + row * width, from + index[row] * width, (size_t)width);
    (void)threads;
}

EXPORTED void fused_scatter(const char *from, const int64_t *index, int64_t rows, int64_t width, int64_t threads, char *to) {
#ifdef _OPENMP
#pragma omp parallel for num_threads((int)threads) schedule(static) if (threads > 1 && rows * width > 65536)
#endif
    for (int64_t row = 0; row < rows; row++) memcpy(to + index[row] * width, from + row * width, (size_t)width);
    (void)threads;
}

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#define REAL float
#define BITS uint32_t
#define SUFFIX f
#define MAGIC 12582912.0f /* 1.5 * 2^23: adding it rounds to a whole number, in the low bits */
#define MANTISSA 23
#define BIAS 127
#define HIGHEST 88.0f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#define EXPM1_POLYNOMIAL(r)                                                                                            \
    ((r) + (r) * (r) *                                                                                                 \
               (0.5f + (r) * (1.0f / 6 + (r) * (1.0f / 24 + (r) * (1.0f / 120 + (r) * (1.0f / 720 + (r) * (1.0f / 5040)))))))
#include "recurrences.inc"
#undef REAL
#undef BITS
#undef SUFFIX
#undef MAGIC
#undef MANTISSA
#undef BIAS
#undef HIGHEST
#undef LN2_HIGH
#undef LN2_LOW
#undef EXPM1_POLYNOMIAL

#define REAL double
#define BITS uint64_t
#define SUFFIX d
#define MAGIC 6755399441055744.0 /* 1.5 * 2^52 */
#define MANTISSA 52
#define BIAS 1023
#define HIGHEST 700.0
#define LN2_HIGH 0.693147180369123816490
#define LN2_LOW 1.90821492927058770002e-10
#define EXPM1_POLYNOMIAL(r)                                                                                            \
    ((r) + (r) * (r) *                                                                                                 \
               (0.5 + (r) * (1.0 / 6 +                                                                                 \
                             (r) * (1.0 / 24 +                                                                         \
                                    (r) * (1.0 / 120 +                                                                 \
                                           (r) * (1.0 / 720 +                                                          \
                                                  (r) * (1.0 / 5040 +                                                  \
                                                         (r) * (1.0 / 40320 +                                          \
                                                                (r) * (1.0 / 362880 +                                  \
                                                                       (r) * (1.0 / 3628800 +                          \
                                                                              (r) * (1.0 / 39916800 +                  \
                                                                                     (r) * (1.0 / 479001600 +          \
                                                                                            (r) * (1.0 / 6227020800.0)))))))))))))
#include "recurrences.inc"

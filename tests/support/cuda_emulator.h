// CUDA C on a CPU: enough of the language for minifcn's kernels, compiled by g++, to check their arithmetic, their indices and
// their barriers without a GPU. One block runs at a time. Each of its threads is a fiber (a stack of its own, switched by hand),
// or, with -DOS_THREADS, a thread of the operating system, for ThreadSanitizer.
//
// Made to be less forgiving than a GPU:
//   - shared memory holds NaN when a block starts;
//   - an asynchronous copy arrives as late as it may (when it is waited for) or, by choice, as early (when it is issued);
//   - threads run in an order chosen by the caller, each as far as the next barrier;
//   - a barrier that not all threads reach, threads at different barriers, copies never waited for, writes past the end of
//     shared memory, copies from outside of the arrays or from odd addresses: each is an error with a sentence.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#ifdef OS_THREADS
#include <barrier>
#include <memory>
#include <mutex>
#include <thread>
#else
#include <setjmp.h>
#include <ucontext.h>
#endif

// ------------------------------------------------------------------------------------------------- words of the language

#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __align__(n)
#define __shared__ static  // one block at a time, so a static array is the block's

struct Index { unsigned x, y, z; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(16) float4 { float x, y, z, w; };
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned __int128)a * b >> 64; }
static inline float __uint_as_float(unsigned bits) { float x; memcpy(&x, &bits, 4); return x; }
static inline unsigned __float_as_uint(float x) { unsigned bits; memcpy(&bits, &x, 4); return bits; }
static inline float __int_as_float(int bits) { return __uint_as_float((unsigned)bits); }

// ------------------------------------------------------------------------------------------------------------- the block

#ifdef OS_THREADS
#define PER_THREAD static thread_local
#else
#define PER_THREAD static
#endif
PER_THREAD Index threadIdx, blockIdx;
PER_THREAD unsigned my_id;
static Index blockDim, gridDim;
static unsigned char* dynamic_shared;
static std::string failure;                                        // the first error of a launch
struct Range { const char *begin, *end; };
static std::vector<Range> arrays;                                  // what the kernel was given
static bool eager_copies;

static void fail(const std::string& message) { if (failure.empty()) failure = message; }
static unsigned my_warp() { return my_id / 32; }
static unsigned my_lane() { return my_id % 32; }

enum Wait { RUNNING, AT_BLOCK_BARRIER, AT_WARP_BARRIER };

#ifndef OS_THREADS  // ------------------------------------------------------------------------------------------- as fibers

struct Fiber { ucontext_t context; jmp_buf resume; std::vector<char> stack; bool started, done; Wait wait; int line; };
static std::vector<Fiber> fibers;
static jmp_buf scheduler;
static void (*entry)(void**);
static void** entry_arguments;

static void run_kernel() { entry(entry_arguments); fibers[my_id].done = true; _longjmp(scheduler, 1); }

static void wait_at(Wait wait, int line) {
    Fiber& fiber = fibers[my_id];
    fiber.wait = wait, fiber.line = line;
    if (!_setjmp(fiber.resume)) _longjmp(scheduler, 1);
}

static void resume(unsigned id) {                                  // runs one fiber to its next barrier, or to its end
    Fiber& fiber = fibers[id];
    if (fiber.done || fiber.wait != RUNNING) return;
    my_id = id, threadIdx = {id, 0, 0};
    if (_setjmp(scheduler)) return;
    if (fiber.started) _longjmp(fiber.resume, 1);
    fiber.started = true;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data(), fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, run_kernel, 0);
    setcontext(&fiber.context);
}

static bool release_warp(unsigned warp) {                          // when all 32 lanes have arrived
    for (unsigned id = warp * 32; id < warp * 32 + 32; ++id) if (fibers[id].done || fibers[id].wait != AT_WARP_BARRIER) return false;
    for (unsigned id = warp * 32; id < warp * 32 + 32; ++id) fibers[id].wait = RUNNING;
    return true;
}

static bool release_block() {                                      // when all threads that still run have arrived
    int line = 0; unsigned alive = 0;
    for (Fiber& fiber : fibers) if (!fiber.done) { if (fiber.wait != AT_BLOCK_BARRIER) return false; ++alive, line = fiber.line; }
    for (Fiber& fiber : fibers) if (!fiber.done) {
        if (fiber.line != line) fail("threads of one block wait at different barriers, lines " + std::to_string(line) + " and " + std::to_string(fiber.line));
        fiber.wait = RUNNING;
    }
    if (alive != fibers.size()) fail("barrier in line " + std::to_string(line) + " reached by " + std::to_string(alive) + " of " + std::to_string(fibers.size()) + " threads; the others have returned");
    return true;
}

// by_warps: each warp runs to the block's barrier before the next one starts, so warps are as far apart as they can be
static void run_block(const std::vector<unsigned>& order, bool by_warps) {
    for (Fiber& fiber : fibers) fiber.started = fiber.done = false, fiber.wait = RUNNING;
    for (;;) {
        bool progress = false, alive = false;
        if (by_warps)
            for (size_t i = 0; i < order.size(); i += 32) {
                const unsigned warp = order[i] / 32;
                do for (unsigned j = 0; j < 32; ++j) resume(order[i + j]); while (release_warp(warp));
            }
        else for (unsigned id : order) resume(id);
        for (Fiber& fiber : fibers) alive |= !fiber.done;
        if (!alive) return;
        if (release_block()) continue;
        for (unsigned warp = 0; warp < fibers.size() / 32; ++warp) progress |= release_warp(warp);
        if (!progress) return fail("deadlock: some threads wait at a block's barrier, others at a warp's, or have returned");
    }
}

static unsigned block_number;
static void poison(void* memory, size_t size) {                    // the first thread of a block to come by fills it with NaN
    static std::vector<std::pair<void*, unsigned>> seen;
    for (auto& entry : seen) if (entry.first == memory) { if (entry.second != block_number) entry.second = block_number, memset(memory, 0xFF, size); return; }
    seen.push_back({memory, block_number}), memset(memory, 0xFF, size);
}
static void sync_block(int line) { wait_at(AT_BLOCK_BARRIER, line); }
static void sync_warp(int line) { wait_at(AT_WARP_BARRIER, line); }

#else  // ------------------------------------------------------------------------------------------------- as real threads

static std::unique_ptr<std::barrier<>> block_barrier;
static std::vector<std::unique_ptr<std::barrier<>>> warp_barriers;
static void sync_block(int) { block_barrier->arrive_and_wait(); }
static void sync_warp(int) { warp_barriers[my_warp()]->arrive_and_wait(); }
static void poison(void*, size_t) {}

#endif

#define __syncthreads() sync_block(__LINE__)
#define __syncwarp() sync_warp(__LINE__)

static unsigned char exchange[32][32][16];                         // a place for each lane of each warp
template <class T> static T shuffle(T value, unsigned from, int line) {
    memcpy(exchange[my_warp()][my_lane()], &value, sizeof value);
    sync_warp(line);
    if (from < 32) memcpy(&value, exchange[my_warp()][from], sizeof value);
    sync_warp(line);
    return value;
}
#define __shfl_down_sync(mask, value, step) shuffle(value, my_lane() + (step), __LINE__)
#define __shfl_sync(mask, value, lane) shuffle(value, lane, __LINE__)

// ------------------------------------------------------------------------------------------------- in the place of ptx.cuh

static inline float to_tf32(float x) {                             // to nearest, ties away from zero; NaN and infinity stay
    unsigned bits = __float_as_uint(x);
    if ((bits & 0x7f800000u) != 0x7f800000u) bits += 0x1000u;
    return __uint_as_float(bits & ~0x1fffu);
}

// A sum is cut off, not rounded: what the tensor cores do, and what a kernel that sums on them has to live with.
static inline float cut_off(double exact) {
    const float rounded = (float)exact;
    return std::fabs((double)rounded) > std::fabs(exact) ? std::nextafterf(rounded, 0.0f) : rounded;
}

static inline void mma_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2], const float (&c)[4]) {
    static float all_a[32][16][8], all_b[32][8][8];
    const unsigned warp = my_warp(), g = my_lane() / 4, t = my_lane() % 4;
    auto cut = [](float x) { return __uint_as_float(__float_as_uint(x) & ~0x1fffu); };  // the hardware does not look at the rest
    for (int i = 0; i < 4; ++i) all_a[warp][g + i % 2 * 8][t + i / 2 * 4] = cut(a[i]);
    for (int i = 0; i < 2; ++i) all_b[warp][t + i * 4][g] = cut(b[i]);
    sync_warp(__LINE__);
    for (int i = 0; i < 4; ++i) {
        double sum = c[i];
        for (int k = 0; k < 8; ++k) sum += (double)all_a[warp][g + i / 2 * 8][k] * all_b[warp][k][2 * t + i % 2];
        d[i] = cut_off(sum);
    }
    sync_warp(__LINE__);
}

struct Copy { float* target; float values[4]; const float* from; bool inside; };
static std::vector<std::vector<Copy>> groups_of[1024];             // committed, the oldest first
static std::vector<Copy> open_group_of[1024];
static bool copies_shown[1024];                                    // to the tensor cores of warpgroup.cuh, since the last arrived
static void perform(const Copy& copy) {
    copies_shown[my_id] = false;
    if (copy.inside) memcpy(copy.target, copy.from, 16); else memset(copy.target, 0, 16);
}
static inline void copy_async(float* shared, const float* global, bool inside) {
    if ((uintptr_t)shared % 16 || (uintptr_t)global % 16) return fail("an asynchronous copy of 16 bytes at an address that is no multiple of 16");
    bool known = !inside;
    for (const Range& array : arrays) known |= (const char*)global >= array.begin && (const char*)(global + 4) <= array.end;
    if (!known) return fail("an asynchronous copy from outside of the kernel's arrays");
    const Copy copy = {shared, {}, global, inside};
    if (eager_copies) perform(copy);
    else open_group_of[my_id].push_back(copy);
}
static inline void copy_async_commit() { groups_of[my_id].push_back(std::move(open_group_of[my_id])); open_group_of[my_id].clear(); }
template <int PENDING> static inline void copy_async_wait() {
    auto& groups = groups_of[my_id];
    while ((int)groups.size() > PENDING) { for (Copy& copy : groups.front()) perform(copy); groups.erase(groups.begin()); }
}
static void check_copies(unsigned threads) {
    for (unsigned id = 0; id < threads; ++id) {
        bool waiting = !open_group_of[id].empty();
        for (auto& group : groups_of[id]) waiting |= !group.empty();
        if (waiting) fail("asynchronous copies were still under way when the kernel ended");
        open_group_of[id].clear(), groups_of[id].clear();
    }
}

// ------------------------------------------------------------------------------------------- in the place of warpgroup.cuh

// A warpgroup's product is done as late as it may: when it is waited for. So what overwrites a slab that is still being multiplied
// (an eager copy), or reads sums that are not there yet, is seen. Each lane computes its own sums, from shared memory: what the other
// lanes hold of a fragment is not needed.
typedef const float* Matrix;
static inline Matrix matrix_at(const float* shared) { return shared; }

static inline void show_copies() { copies_shown[my_id] = true; }

struct Product { float (*d)[4]; Matrix a, b; int tiles; };
static std::vector<std::vector<Product>> products_of[1024];        // committed, the oldest first
static std::vector<Product> open_products_of[1024];

// Row `row`, number `k` of a matrix of rows of 128 bytes: bits 4 to 6 of its address are exchanged by its bits 7 to 9.
static float element(Matrix matrix, int row, int k) {
    const uintptr_t address = (uintptr_t)matrix + row * 128 + k * 4;
    return __uint_as_float(__float_as_uint(*(const float*)(address ^ (address >> 3 & 0x70))) & ~0x1fffu);
}
static void perform(const Product& product) {
    const int w = my_warp() % 4, g = my_lane() / 4, t = my_lane() % 4;
    for (int j = 0; j < product.tiles; ++j)
        for (int r = 0; r < 4; ++r) {
            double sum = product.d[j][r];
            for (int k = 0; k < 8; ++k) sum += (double)element(product.a, 16 * w + g + r / 2 * 8, k) * element(product.b, 8 * j + 2 * t + r % 2, k);
            product.d[j][r] = cut_off(sum);
        }
}
static inline void warpgroup_begin() { sync_warp(__LINE__); }
template <int TILES> static inline void multiply_by_group(float (&d)[TILES][4], Matrix a, Matrix b) {
    if (((uintptr_t)a - (uintptr_t)dynamic_shared) % 32 || ((uintptr_t)b - (uintptr_t)dynamic_shared) % 32)
        return fail("a warpgroup's matrix that does not begin at a multiple of 32 bytes");
    if (!copies_shown[my_id]) return fail("a warpgroup multiplies what was copied and not shown to the tensor cores");
    open_products_of[my_id].push_back({d, a, b, TILES});
}
static inline void warpgroup_commit() {
    products_of[my_id].push_back(std::move(open_products_of[my_id]));
    open_products_of[my_id].clear();
}
template <int PENDING, int TILES> static inline void warpgroup_wait(float (&)[TILES][4]) {
    auto& groups = products_of[my_id];
    while ((int)groups.size() > PENDING) { for (Product& product : groups.front()) perform(product); groups.erase(groups.begin()); }
}
static void check_products(unsigned threads) {
    for (unsigned id = 0; id < threads; ++id) {
        bool waiting = !open_products_of[id].empty();
        for (auto& group : products_of[id]) waiting |= !group.empty();
        if (waiting) fail("a warpgroup's products were still under way when the kernel ended");
        open_products_of[id].clear(), products_of[id].clear(), copies_shown[id] = false;
    }
}

// ------------------------------------------------------------------------------------------------------------ the launch

template <class T> static std::string code_of() {
    if (std::is_pointer<T>::value) return "p" + code_of<std::remove_cv_t<std::remove_pointer_t<T>>>();
    return (std::is_floating_point<T>::value ? "f" : std::is_unsigned<T>::value ? "u" : "i") + std::to_string(sizeof(T));
}
template <class... A> static std::string signature_of(void (*)(A...)) {
    std::string text;
    (void)std::initializer_list<int>{(text += code_of<std::remove_cv_t<A>>() + " ", 0)...};
    return text;
}
template <auto F> struct Caller;
template <class... A, void (*F)(A...)> struct Caller<F> {
    template <size_t... I> static void spread(void** a, std::index_sequence<I...>) { F(*(std::remove_cv_t<A>*)a[I]...); }
    static void call(void** a) { spread(a, std::index_sequence_for<A...>()); }
};

static uint64_t random_state;
static unsigned random_below(unsigned n) { random_state = random_state * 6364136223846793005u + 1442695040888963407u; return (unsigned)(random_state >> 33) % n; }
template <class T> static void shuffle_order(std::vector<T>& order) { for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_below((unsigned)i)]); }

struct Launch { unsigned grid[3], block, shared, schedule, eager, num_arrays; uint64_t seed; const Range* arrays; };
enum Schedule { IN_ORDER, BACKWARDS, SHUFFLED, BY_WARPS, BY_WARPS_BACKWARDS };

static const char* launch(void (*call)(void**), void** arguments, const Launch& l) {
    failure.clear(), eager_copies = l.eager, random_state = l.seed;
    arrays.assign(l.arrays, l.arrays + l.num_arrays);
    gridDim = {l.grid[0], l.grid[1], l.grid[2]}, blockDim = {l.block, 1, 1};
    if (l.block > 1024 || l.block % 32) fail("a block of " + std::to_string(l.block) + " threads; whole warps, at most 1024");
    if (l.grid[1] > 65535 || l.grid[2] > 65535) fail("a grid of more than 65535 blocks along y or z");
    if (l.shared > 227 * 1024) fail("more than 227 KB of shared memory");
    if (!failure.empty()) return failure.c_str();
    const bool back = l.schedule == BACKWARDS || l.schedule == BY_WARPS_BACKWARDS;
    const unsigned blocks = l.grid[0] * l.grid[1] * l.grid[2];
    std::vector<unsigned> order(l.block), block_order(blocks);
    for (unsigned i = 0; i < l.block; ++i) order[i] = back ? l.block - 1 - i : i;
    for (unsigned i = 0; i < blocks; ++i) block_order[i] = back ? blocks - 1 - i : i;
    if (l.schedule == SHUFFLED) shuffle_order(block_order);
    unsigned char* memory = new (std::align_val_t(1024)) unsigned char[l.shared + GUARD];  // exact under AddressSanitizer
    dynamic_shared = memory;
    auto index_of = [&](unsigned number) -> Index { return {number % l.grid[0], number / l.grid[0] % l.grid[1], number / l.grid[0] / l.grid[1]}; };
    auto begin_block = [&] { memset(memory, 0xFF, l.shared + GUARD); };
    auto end_block = [&] {
        check_copies(l.block);
        check_products(l.block);
        for (unsigned i = 0; i < GUARD; ++i) if (memory[l.shared + i] != 0xFF) fail("a write past the end of the dynamic shared memory");
    };
#ifdef OS_THREADS
    block_barrier.reset(new std::barrier<>(l.block));              // all threads of a block return together, or none does
    warp_barriers.clear();
    for (unsigned warp = 0; warp < l.block / 32; ++warp) warp_barriers.emplace_back(new std::barrier<>(32));
    std::vector<std::thread> threads;
    for (unsigned id : order) threads.emplace_back([&, id] {
        my_id = id, threadIdx = {id, 0, 0};
        for (unsigned number : block_order) {
            if (id == 0) begin_block();
            block_barrier->arrive_and_wait();
            blockIdx = index_of(number);
            call(arguments);
            block_barrier->arrive_and_wait();
            if (id == 0) end_block();
        }
    });
    for (auto& thread : threads) thread.join();
#else
    fibers.resize(l.block);
    for (Fiber& fiber : fibers) fiber.stack.resize(48 << 10);
    entry = call, entry_arguments = arguments;
    for (unsigned number : block_order) {
        begin_block();
        blockIdx = index_of(number), ++block_number;
        if (l.schedule == SHUFFLED) shuffle_order(order);
        run_block(order, l.schedule >= BY_WARPS);
        end_block();
        if (!failure.empty()) break;
    }
#endif
    ::operator delete[](memory, std::align_val_t(1024));
    return failure.empty() ? nullptr : failure.c_str();
}

#define EXPORT(kernel) \
    extern "C" const char* launch_##kernel(void** arguments, const Launch* l) { return launch(&Caller<&kernel>::call, arguments, *l); } \
    extern "C" const char* signature_##kernel() { static std::string text = signature_of(&kernel); return text.c_str(); }

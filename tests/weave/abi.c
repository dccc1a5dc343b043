/* abi.c: what the compiler's instrumentation for ThreadSanitizer calls. Its
 * names and arguments are those of compiler-rt's tsan_interface_atomic.h. */
#include <stdatomic.h>
#include <string.h>

#include "tests/weave/inner.h"

#define HERE __builtin_return_address(0)

static inline void access(const void *at, size_t size, bool writes)
{
    if (!size)
        return;
    if (heap_has(at))
        heap_check(at, size, writes);
    else if (statics_is_local(at))
        return;
    race_check(at, size, writes, false);
    if (writes) {
        memory_forget(at, size);
        statics_will_write(at, size);
    }
}

#define PLAIN(name, size, writes)                                              \
    void name(void *at);                                                       \
    void name(void *at) { access(at, size, writes); }
#define PLAIN_OF(size)                                                         \
    PLAIN(__tsan_read##size, size, false)                                      \
    PLAIN(__tsan_write##size, size, true)
#define UNALIGNED_OF(size)                                                     \
    PLAIN(__tsan_unaligned_read##size, size, false)                            \
    PLAIN(__tsan_unaligned_write##size, size, true)
PLAIN_OF(1)
PLAIN_OF(2)
PLAIN_OF(4)
PLAIN_OF(8)
PLAIN_OF(16)
UNALIGNED_OF(2)
UNALIGNED_OF(4)
UNALIGNED_OF(8)
UNALIGNED_OF(16)

void __tsan_read_range(void *at, size_t size);
void __tsan_write_range(void *at, size_t size);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_init(void);
void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);

void __tsan_read_range(void *at, size_t size) { access(at, size, false); }
void __tsan_write_range(void *at, size_t size) { access(at, size, true); }
void __tsan_func_entry(void *caller) {}
void __tsan_func_exit(void) {}
void __tsan_init(void) {}
void __tsan_atomic_signal_fence(int order) {}

void __tsan_atomic_thread_fence(int order)
{
    weave_fail("fences are not modelled, and not used in weft");
}

static uint64_t put(uint64_t was, uint64_t v) { return v; }
static uint64_t add(uint64_t was, uint64_t v) { return was + v; }
static uint64_t sub(uint64_t was, uint64_t v) { return was - v; }
static uint64_t and_(uint64_t was, uint64_t v) { return was & v; }
static uint64_t or_(uint64_t was, uint64_t v) { return was | v; }
static uint64_t xor_(uint64_t was, uint64_t v) { return was ^ v; }

#define CHANGE(bits, name, how)                                                \
    uint##bits##_t __tsan_atomic##bits##_##name(void *at, uint##bits##_t v,    \
                                                int order);                    \
    uint##bits##_t __tsan_atomic##bits##_##name(void *at, uint##bits##_t v,    \
                                                int order)                     \
    {                                                                          \
        trace_at(HERE);                                                        \
        return (uint##bits##_t)memory_change(at, bits / 8, v, order, how);     \
    }
#define CAS(bits, name)                                                        \
    int __tsan_atomic##bits##_compare_exchange_##name(                         \
        void *at, uint##bits##_t *expected, uint##bits##_t v, int order,       \
        int failing);                                                          \
    int __tsan_atomic##bits##_compare_exchange_##name(                         \
        void *at, uint##bits##_t *expected, uint##bits##_t v, int order,       \
        int failing)                                                           \
    {                                                                          \
        uint64_t value = *expected;                                            \
        trace_at(HERE);                                                        \
        bool done = memory_cas(at, bits / 8, &value, v, order, failing);       \
        *expected = (uint##bits##_t)value;                                     \
        return done;                                                           \
    }
#define ATOMIC(bits)                                                           \
    uint##bits##_t __tsan_atomic##bits##_load(const void *at, int order);      \
    uint##bits##_t __tsan_atomic##bits##_load(const void *at, int order)       \
    {                                                                          \
        trace_at(HERE);                                                        \
        return (uint##bits##_t)memory_load(at, bits / 8, order);               \
    }                                                                          \
    void __tsan_atomic##bits##_store(void *at, uint##bits##_t v, int order);   \
    void __tsan_atomic##bits##_store(void *at, uint##bits##_t v, int order)    \
    {                                                                          \
        trace_at(HERE);                                                        \
        memory_store(at, bits / 8, v, order);                                  \
    }                                                                          \
    CHANGE(bits, exchange, put)                                                \
    CHANGE(bits, fetch_add, add)                                               \
    CHANGE(bits, fetch_sub, sub)                                               \
    CHANGE(bits, fetch_and, and_)                                              \
    CHANGE(bits, fetch_or, or_)                                                \
    CHANGE(bits, fetch_xor, xor_)                                              \
    CAS(bits, strong)                                                          \
    CAS(bits, weak)
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

/* In place of the library's, which are not instrumented: woven.h. */
void *weave_memcpy(void *to, const void *from, size_t size);
void *weave_memmove(void *to, const void *from, size_t size);
void *weave_memset(void *to, int value, size_t size);

void *weave_memmove(void *to, const void *from, size_t size)
{
    access(from, size, false);
    access(to, size, true);
    return memmove(to, from, size);
}

void *weave_memcpy(void *to, const void *from, size_t size)
{
    return weave_memmove(to, from, size);
}

void *weave_memset(void *to, int value, size_t size)
{
    access(to, size, true);
    return memset(to, value, size);
}

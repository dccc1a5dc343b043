/* test_barrier.c: sched/barrier.c, where the kernel has no such barrier, or
 * refuses it. A filter for system calls stays for as long as a process lives,
 * so each has one of its own. What the barrier is good for is shown by
 * stress_barrier.c. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched/barrier.h"
#include "sched/worker.h"
#include "tests/test.h"

/* From now on; false: this kernel has no such filters. */
static bool refuse(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };

    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Whether it returns true in a process of its own. */
static bool holds_apart(bool (*claim)(void))
{
    int status = 1;
    pid_t child = fork();

    if (!child)
        _exit(claim() ? 0 : 1);
    return waitpid(child, &status, 0) == child && !status;
}

static struct task *nothing(weft_worker *self, struct task *task)
{
    return NULL;
}

static bool is_alone_after_many_moves(struct deque *d)
{
    for (int i = 0; i < 1000; i++)
        wf_deque_pop(d);
    return wf_deque_is_alone(d);
}

static bool nobody_is_alone(void)
{
    static struct deque d;

    if (!refuse())
        return true;
    wf_barrier_prepare();
    return !wf_barrier_exists() && !wf_barrier_heavy() &&
           !is_alone_after_many_moves(&d);
}

Test(barrier, without_one_no_owner_of_a_deque_is_alone)
{
    cr_assert(holds_apart(nobody_is_alone));
}

static bool thief_waits_for_the_owner(void)
{
    static struct deque d;
    struct task task = { .run = nothing };

    wf_barrier_prepare();
    if (!is_alone_after_many_moves(&d) || !refuse())
        return true;
    wf_deque_push(&d, &task);
    bool none = !wf_deque_steal(&d); /* but it has asked */
    wf_deque_pop(&d);
    wf_deque_push(&d, &task);
    return none && wf_deque_steal(&d) == &task &&
           !is_alone_after_many_moves(&d);
}

Test(barrier, if_it_is_refused_later_a_thief_waits_for_the_owner)
{
    cr_assert(holds_apart(thief_waits_for_the_owner));
}

static struct task *count(weft_worker *self, struct task *task);

static struct counting {
    struct task task;
    _Atomic uint32_t left;
} counting = { .task.run = count };

static struct task *count(weft_worker *self, struct task *task)
{
    if (sub_acq_rel(&counting.left, 1) > 1)
        wf_push(self, task);
    else
        wf_wake_all(&counting.left);
    return NULL;
}

static bool workers_work_and_sleep(void)
{
    weft_sched *sched = NULL;

    if (!refuse() ||
        weft_sched_create(&sched, weft_config(sched, .workers = 2), NULL))
        return true;
    for (int i = 0; i < 20; i++) {
        struct task_list list = { 0 };
        store_relaxed(&counting.left, 1000);
        task_list_add(&list, &counting.task);
        wf_inject(sched, &list);
        for (uint32_t left; (left = load_acquire(&counting.left));)
            wf_sleep_while(&counting.left, left, -1);
    }
    weft_sched_destroy(sched);
    return true;
}

Test(barrier, without_one_workers_work_and_sleep_all_the_same, .timeout = 60)
{
    cr_assert(holds_apart(workers_work_and_sleep));
}

/* Memory that is not to be had. Of the allocations that the module and libpam make in pam_authenticate, the
   FAIL_AT-th fails, and with FAIL_ON all after it. Says at the end how many there were. The login program's
   own allocations are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static int armed, count, fail_at, fail_on;

static int fails(const void *caller)
{
    Dl_info from;
    if (!armed || !dladdr(caller, &from) || !from.dli_fname)
        return 0;
    if (!strstr(from.dli_fname, "pam_mfa") && !strstr(from.dli_fname, "libpam.so"))
        return 0;
    ++count;
    if (!fail_at || (count != fail_at && !(fail_on && count > fail_at)))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (fails(__builtin_return_address(0)))
        return ENOMEM;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

int pam_authenticate(void *handle, int flags)
{
    int (*real)(void *, int) = dlsym(RTLD_NEXT, "pam_authenticate");
    const char *at = getenv("FAIL_AT");
    fail_at = at ? atoi(at) : 0;
    fail_on = getenv("FAIL_ON") != NULL;
    armed = 1;
    int result = real(handle, flags);
    armed = 0;
    dprintf(1, "allocations: %d\n", count);
    return result;
}

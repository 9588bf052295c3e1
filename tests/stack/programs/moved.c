/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs in a copy of its code, as programs do that want theirs in huge pages. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };

__attribute__((noinline)) static int waits(int n)
{
	return pause() + n;
}

__attribute__((noinline)) static int calls(int n)
{
	return waits(n + 1) * 2;
}

int main(void)
{
	char *own = (char *)((uintptr_t)main & -(uintptr_t)PAGE);
	char *copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED)
		return 1;
	memcpy(copy, own, PAGE);
	if (mprotect(copy, PAGE, PROT_READ | PROT_EXEC) != 0 ||
		mremap(copy, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, own) != own)
		return 1;
	puts("ready");
	fflush(stdout);
	return calls(1);
}

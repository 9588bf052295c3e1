/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sym/maps.h"

static const char sample[] =
	"55d0c0a00000-55d0c0a01000 r--p 00000000 fe:01 1234                       /usr/bin/my app\n"
	"55d0c0a01000-55d0c0a02000 r-xp 00001000 fe:01 1234                       /usr/bin/my app\n"
	"55d0c1000000-55d0c1021000 rw-p 00000000 00:00 0                          [heap]\n"
	"7f0000000000-7f0000001000 rwxp 00000000 00:00 0 \n"
	"7f0000002000-7f0000003000 r-xp 00002000 fe:01 77                         "
	"/lib/x86_64/libc.so.6 (deleted)\n"
	"7f0000005000-7f0000006000 r-xs 00000000 fe:01 78                         "
	"/lib/libfoo-2.1.so\n"
	"7f0000007000-7f0000008000 r-xp 00000000 fe:01 79                         "
	"/opt/libbar.so.1\n"
	"7f0000009000-7f000000a000 r-xp 00000000 fe:01 80                         "
	"/srv/libbar.so.2\n"
	"7f000000b000-7f000000c000 r--p 00000000 fe:01 81                         "
	"/tmp/new\\012line\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

static void test_sample(void **state)
{
	struct cul_maps maps = {0};
	const struct cul_map *m;
	bool ambiguous;

	assert_int_equal(cul_maps_parse(sample, strlen(sample), &maps, NULL), 0);
	assert_int_equal(maps.maps.len, 10);
	m = &maps.maps.data[1];
	assert_int_equal(m->start, 0x55d0c0a01000);
	assert_int_equal(m->end, 0x55d0c0a02000);
	assert_int_equal(m->offset, 0x1000);
	assert_int_equal(m->prot, CUL_MAP_READ | CUL_MAP_EXEC);
	assert_int_equal(m->major, 0xfe);
	assert_int_equal(m->inode, 1234);
	assert_string_equal(m->path, "/usr/bin/my app");
	assert_false(m->deleted);
	assert_string_equal(maps.maps.data[3].path, "");
	assert_string_equal(maps.maps.data[4].path, "/lib/x86_64/libc.so.6");
	assert_true(maps.maps.data[4].deleted);
	assert_int_equal(maps.maps.data[5].prot, CUL_MAP_READ | CUL_MAP_EXEC | CUL_MAP_SHARED);
	assert_string_equal(maps.maps.data[8].path, "/tmp/new\nline");

	assert_ptr_equal(cul_maps_at(&maps, 0x55d0c0a01fff), &maps.maps.data[1]);
	assert_ptr_equal(cul_maps_at(&maps, 0x55d0c0a00000), &maps.maps.data[0]);
	assert_null(cul_maps_at(&maps, 0x55d0c0a02000));
	assert_null(cul_maps_at(&maps, 0));
	assert_null(cul_maps_at(&maps, UINT64_MAX));

	assert_ptr_equal(cul_maps_file(&maps, "my app", &ambiguous), &maps.maps.data[0]);
	assert_ptr_equal(cul_maps_file(&maps, "/usr/bin/my app", NULL), &maps.maps.data[0]);
	assert_ptr_equal(cul_maps_file(&maps, "libc.so.6", NULL), &maps.maps.data[4]);
	assert_ptr_equal(cul_maps_file(&maps, "libc", NULL), &maps.maps.data[4]);
	assert_ptr_equal(cul_maps_file(&maps, "libfoo", NULL), &maps.maps.data[5]);
	assert_null(cul_maps_file(&maps, "lib", NULL));
	assert_null(cul_maps_file(&maps, "", NULL));
	assert_null(cul_maps_file(&maps, "[heap]", NULL));
	assert_null(cul_maps_file(&maps, "libbar", &ambiguous));
	assert_true(ambiguous);
	assert_ptr_equal(cul_maps_file(&maps, "libbar.so.2", &ambiguous), &maps.maps.data[7]);
	assert_false(ambiguous);
	cul_maps_free(&maps);
	assert_null(maps.maps.data);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
		"\n",
		"x",
		"1000-1000 r--p 0 0:0 0\n",
		"2000-1000 r--p 0 0:0 0\n",
		"1000-2000 q--p 0 0:0 0\n",
		"1000-2000 r--\n",
		"1000-2000 r--p 0 0:0\n",
		"1000-2000 r--p 0 0 0\n",
		"10000000000000000-2000 r--p 0 0:0 0\n",
		"1000-2000 r--p 0 fffffffff:0 0\n",
		"1000-3000 r--p 0 0:0 0\n2000-4000 r--p 0 0:0 0\n",
	};
	struct cul_error err;
	struct cul_maps maps = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (cul_maps_parse(bad[i], strlen(bad[i]), &maps, &err) != -EBADMSG)
			fail_msg("%s", bad[i]);
		assert_null(maps.maps.data);
	}
	assert_int_equal(cul_maps_parse("", 0, &maps, NULL), 0);
	assert_int_equal(maps.maps.len, 0);
}

/* Of ourselves, with a mapping that we know. */
static void test_live(void **state)
{
	size_t size = 5 * 4096;
	char *p = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct cul_maps maps = {0};
	const struct cul_map *m;

	assert_true(p != MAP_FAILED);
	assert_int_equal(cul_maps_read(getpid(), &maps, NULL), 0);
	m = cul_maps_at(&maps, (uintptr_t)p + 4096);
	assert_non_null(m);
	assert_int_equal(m->start, (uintptr_t)p);
	assert_int_equal(m->end, (uintptr_t)p + size);
	assert_int_equal(m->prot, CUL_MAP_READ | CUL_MAP_EXEC | CUL_MAP_SHARED);
	cul_maps_free(&maps);
	munmap(p, size);
}

static void test_no_process(void **state)
{
	struct cul_maps maps = {0};
	struct cul_error err = {0};

	assert_int_equal(cul_maps_read(0x7ffffff0, &maps, &err), -ESRCH);
	assert_non_null(strstr(err.text, "2147483632"));
}

static void test_out_of_memory(void **state)
{
	int ret = -ENOMEM;

	for (long n = 0; ret != 0; n++) {
		struct cul_maps maps = {0};

		assert_true(n < 1000);
		cul_alloc_fail_after(n);
		ret = cul_maps_parse(sample, strlen(sample), &maps, NULL);
		cul_alloc_fail_after(-1);
		assert_true(ret == 0 || ret == -ENOMEM);
		cul_maps_free(&maps);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_no_process),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

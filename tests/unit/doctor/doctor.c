/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What doctor finds depends on the machine; how it says so does not: each
 * "no" has a reason, the lines obey the schema, nothing is left behind.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "doctor/doctor.h"
#include "report/json.h"
#include "support/schema.h"
#include "sys/fault.h"

/* All that doctor says, as JSON lines; the caller frees it. */
static char *examine(int *result)
{
	struct cul_error err = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct cul_sink *s = cul_json_sink_new(out);

	*result = cul_doctor_run(s, &err);
	cul_sink_free(s);
	fclose(out);
	return text;
}

static const char *member(struct json_object *o, const char *key)
{
	return json_object_get_string(json_object_object_get(o, key));
}

static void check_line(struct json_object *schema, const char *line)
{
	cul_autostr struct cul_str why = {0};
	struct json_object *value = json_tokener_parse(line);

	assert_non_null(value);
	if (!schema_check(schema, schema, value, &why))
		fail_msg("%s\n%s", cul_str_text(&why), line);
	if (!strcmp(member(value, "type"), "check")) {
		bool yes = !strcmp(member(value, "answer"), "yes");

		assert_int_equal(yes, member(value, "because") == NULL);
		if (yes)
			assert_null(member(value, "remedy"));
	}
	json_object_put(value);
}

static unsigned obey_schema(char *text)
{
	struct json_object *schema =
		json_object_from_file(SOURCE_ROOT "/docs/schema/doctor.schema.json");
	unsigned n = 0;
	char *next;

	assert_non_null(schema);
	for (char *line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		check_line(schema, line);
		n++;
	}
	json_object_put(schema);
	return n;
}

static void check_lines(char *text)
{
	assert_int_equal(obey_schema(text), 22);
}

static unsigned open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void test_machine(void **state)
{
	unsigned before = open_files();
	int r;
	cul_autofree char *text = examine(&r);

	assert_int_equal(r, 0);
	check_lines(text);
	assert_int_equal(open_files(), before);
}

/*
 * As a processor that nothing is known of, or only how its stacks are: to a process that says it is
 * of 32 bits, uname() gives another name. What would be tried there is not spoken of.
 */
static void test_strange_processor(void **state)
{
	int before = personality(PER_LINUX32), r;
	cul_autofree char *text = NULL;

	assert_int_equal(before, PER_LINUX);
	text = examine(&r);
	personality(before);
	assert_int_equal(r, 0);
	assert_non_null(strstr(text, "\"what\":\"watch memory\",\"answer\":\"no\""));
	assert_non_null(strstr(text, "\"what\":\"probe functions\",\"answer\":\"no\""));
	assert_non_null(strstr(text, "on this processor ("));
	assert_null(strstr(text, "debug register"));
	assert_null(strstr(text, "breakpoint"));
	assert_null(strstr(text, "kprobe"));
	obey_schema(text);
}

/* No file can be opened: all that rests on one is a "no" with a reason. */
static void test_no_files(void **state)
{
	int r;
	cul_autofree char *text = NULL;

	cul_sys_fail(CUL_SYS_OPEN, 0, EACCES);
	text = examine(&r);
	cul_sys_fail_none();
	assert_int_equal(r, 0);
	assert_non_null(strstr(text, "\"id\":\"kernel-symbols\",\"what\":\"name the kernel's "
				     "functions\",\"answer\":\"no\""));
	check_lines(text);
}

/* Registers that one may not ask for are not in use by others. */
static void test_refused_registers(void **state)
{
	int r;
	cul_autofree char *text = NULL;

	cul_sys_fail(CUL_SYS_PERF_EVENT_OPEN, 0, EACCES);
	text = examine(&r);
	cul_sys_fail_none();
	assert_int_equal(r, 0);
	assert_non_null(
		strstr(text, "\"what\":\"find free debug registers\",\"answer\":\"untried\""));
	assert_null(strstr(text, "another culprit"));
	check_lines(text);
}

static void test_no_memory(void **state)
{
	unsigned before = open_files();
	int r = -ENOMEM;

	for (long after = 0; r != 0 && after < 4000; after += 1 + after / 4) {
		char *text;

		/* the sink is made before memory runs out */
		struct cul_error err = {0};
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);
		struct cul_sink *s = cul_json_sink_new(out);

		cul_alloc_fail_after(after);
		r = cul_doctor_run(s, &err);
		cul_alloc_fail_after(-1);
		if (r < 0)
			assert_int_equal(r, -ENOMEM);
		cul_sink_free(s);
		fclose(out);
		free(text);
	}
	assert_int_equal(r, 0);
	assert_int_equal(open_files(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_strange_processor),
		cmocka_unit_test(test_no_files),
		cmocka_unit_test(test_refused_registers),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

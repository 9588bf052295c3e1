/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both sinks against committed output. UPDATE_GOLDEN=1 writes the files anew;
 * then read the difference before committing it.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "report/folded.h"
#include "report/json.h"
#include "report/text.h"
#include "samples.h"
#include "support/schema.h"

static void compare(const char *name, const char *kind, const char *text, size_t len)
{
	cul_autostr struct cul_str path = {0}, golden = {0};
	cul_autofclose FILE *f = NULL;
	char buf[4096];
	size_t n;

	cul_str_addf(&path, "%s/tests/golden/%s.%s", SOURCE_ROOT, name, kind);
	f = fopen(path.s, getenv("UPDATE_GOLDEN") ? "w+" : "r");
	if (!f)
		fail_msg("%s cannot be opened", path.s);
	if (getenv("UPDATE_GOLDEN")) {
		assert_int_equal(fwrite(text, 1, len, f), len);
		rewind(f);
	}
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		cul_str_addn(&golden, buf, n);
	if (golden.len != len || memcmp(cul_str_text(&golden), text, len) != 0)
		fail_msg("%s differs; got:\n%s", path.s, text);
}

static void test_text(void **state)
{
	static const struct {
		const char *kind;
		struct cul_style style;
	} kinds[] = {
		{"80.txt", {.width = 80}},
		{"50.txt", {.width = 50}},
		{"120.txt", {.width = 120}},
		{"colour.txt", {.width = 80, .colour = true}},
	};
	const struct sample *sample = *state;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		cul_autofree char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);
		struct cul_sink *s = cul_text_sink_new(out, &kinds[i].style);

		assert_int_equal(sample->play(s), 0);
		cul_sink_free(s);
		fclose(out);
		compare(sample->name, kinds[i].kind, text, len);
	}
}

static struct json_object *load_schema(const char *name)
{
	cul_autostr struct cul_str path = {0};
	struct json_object *schema;

	cul_str_addf(&path, "%s/docs/schema/%s.schema.json", SOURCE_ROOT, name);
	schema = json_object_from_file(path.s);
	if (!schema)
		fail_msg("%s", json_util_get_last_err());
	return schema;
}

/* Each line obeys the definition that has the name of its type. */
static void check_line(struct json_object *schema, const char *line)
{
	cul_autostr struct cul_str why = {0};
	struct json_object *value = json_tokener_parse(line);
	struct json_object *definitions, *definition;
	const char *type;

	assert_non_null(value);
	type = json_object_get_string(json_object_object_get(value, "type"));
	assert_true(json_object_object_get_ex(schema, "definitions", &definitions));
	if (!json_object_object_get_ex(definitions, type, &definition))
		fail_msg("no definition of '%s'", type);
	if (!schema_check(schema, definition, value, &why))
		fail_msg("%s\n%s", cul_str_text(&why), line);
	if (!schema_check(schema, schema, value, &why))
		fail_msg("as a whole: %s\n%s", cul_str_text(&why), line);
	json_object_put(value);
}

static void test_json(void **state)
{
	const struct sample *sample = *state;
	struct json_object *schema = load_schema(sample->schema);
	cul_autofree char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct cul_sink *s = cul_json_sink_new(out);
	char *next;

	assert_int_equal(sample->play(s), 0);
	cul_sink_free(s);
	fclose(out);
	compare(sample->name, "json", text, len);
	assert_int_equal(text[len - 1], '\n');
	for (char *line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
		check_line(schema, line);
	json_object_put(schema);
}

static void test_folded(void **state)
{
	const struct sample *sample = *state;
	cul_autofree char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct cul_sink *s = cul_folded_sink_new(out);

	assert_int_equal(sample->play(s), 0);
	cul_sink_free(s);
	fclose(out);
	compare(sample->name, "folded", text, len);
}

/* The checker itself says no where it should. */
static void test_schema(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"type\":\"nothing\"}",
		"{\"type\":\"behind\",\"target\":\"x\",\"from\":0.1,\"to\":1,\"old\":1}",
		"{\"type\":\"behind\",\"target\":\"x\",\"from\":0.1,\"to\":\"1\",\"old\":1,\"new\":"
		"1}",
		"{\"type\":\"behind\",\"target\":\"x\",\"from\":0.1,\"to\":1,\"old\":1,\"new\":1,"
		"\"a\":1}",
		"{\"type\":\"behind\",\"target\":\"x\",\"from\":-1,\"to\":1,\"old\":1,\"new\":1}",
		"[]",
	};
	struct json_object *schema = load_schema("watch");

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cul_autostr struct cul_str why = {0};
		struct json_object *value = json_tokener_parse(bad[i]);

		assert_false(schema_check(schema, schema, value, &why));
		assert_true(why.len > 0);
		json_object_put(value);
	}
	json_object_put(schema);
}

static size_t add(struct CMUnitTest *tests, const struct sample *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		void *sample = (void *)&from[i];

		*tests++ = (struct CMUnitTest){from[i].name, test_text, NULL, NULL, sample};
		*tests++ = (struct CMUnitTest){from[i].name, test_json, NULL, NULL, sample};
	}
	return 2 * n;
}

int main(void)
{
	struct CMUnitTest tests[64] = {cmocka_unit_test(test_schema)};
	size_t n = 1;

	n += add(tests + n, samples, n_samples);
	n += add(tests + n, samples_probe, n_samples_probe);
	n += add(tests + n, samples_stack, n_samples_stack);
	for (size_t i = 0; i < n_samples_stack; i++)
		tests[n++] = (struct CMUnitTest){
			samples_stack[i].name, test_folded, NULL, NULL, (void *)&samples_stack[i]};
	return _cmocka_run_group_tests("report/golden", tests, n, NULL, NULL);
}

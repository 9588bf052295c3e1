/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "schema.h"

#include <regex.h>
#include <string.h>

struct check {
	struct json_object *root;
	struct cul_str *why;
};

static bool check(const struct check *c, struct json_object *schema, struct json_object *value,
	const char *path);

static bool wrong(const struct check *c, const char *path, const char *what)
{
	cul_str_addf(c->why, "%s: %s; ", path, what);
	return false;
}

static bool has_type(const char *name, struct json_object *value)
{
	enum json_type type = json_object_get_type(value);

	if (!strcmp(name, "number"))
		return type == json_type_double || type == json_type_int;
	if (!strcmp(name, "integer"))
		return type == json_type_int;
	return !strcmp(name, json_type_to_name(type));
}

static bool check_type(const struct check *c, struct json_object *types, struct json_object *value,
	const char *path)
{
	if (json_object_is_type(types, json_type_string))
		return has_type(json_object_get_string(types), value) || wrong(c, path, "type");
	for (size_t i = 0; i < json_object_array_length(types); i++)
		if (has_type(json_object_get_string(json_object_array_get_idx(types, i)), value))
			return true;
	return wrong(c, path, "type");
}

static bool check_enum(const struct check *c, struct json_object *allowed,
	struct json_object *value, const char *path)
{
	for (size_t i = 0; i < json_object_array_length(allowed); i++)
		if (json_object_equal(json_object_array_get_idx(allowed, i), value))
			return true;
	return wrong(c, path, "not one of the enum");
}

static bool check_pattern(const struct check *c, struct json_object *pattern,
	struct json_object *value, const char *path)
{
	regex_t re;
	bool ok;

	if (!json_object_is_type(value, json_type_string))
		return true;
	if (regcomp(&re, json_object_get_string(pattern), REG_EXTENDED | REG_NOSUB))
		return wrong(c, path, "bad pattern in the schema");
	ok = regexec(&re, json_object_get_string(value), 0, NULL, 0) == 0;
	regfree(&re);
	return ok || wrong(c, path, "pattern");
}

static bool check_required(const struct check *c, struct json_object *names,
	struct json_object *value, const char *path)
{
	for (size_t i = 0; i < json_object_array_length(names); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));

		if (json_object_is_type(value, json_type_object) &&
			!json_object_object_get_ex(value, name, NULL))
			return wrong(c, path, name);
	}
	return true;
}

static bool check_members(const struct check *c, struct json_object *schema,
	struct json_object *value, const char *path)
{
	struct json_object *properties = NULL, *additional = NULL;
	bool ok = true;

	if (!json_object_is_type(value, json_type_object))
		return true;
	json_object_object_get_ex(schema, "properties", &properties);
	json_object_object_get_ex(schema, "additionalProperties", &additional);
	json_object_object_foreach(value, key, member)
	{
		cul_autostr struct cul_str inner = {0};
		struct json_object *sub;

		cul_str_addf(&inner, "%s.%s", path, key);
		if (properties && json_object_object_get_ex(properties, key, &sub))
			ok &= check(c, sub, member, cul_str_text(&inner));
		else if (additional && !json_object_get_boolean(additional))
			ok &= wrong(c, cul_str_text(&inner), "not in the schema");
	}
	return ok;
}

static bool check_items(const struct check *c, struct json_object *items, struct json_object *value,
	const char *path)
{
	bool ok = true;

	if (!json_object_is_type(value, json_type_array))
		return true;
	for (size_t i = 0; i < json_object_array_length(value); i++)
		ok &= check(c, items, json_object_array_get_idx(value, i), path);
	return ok;
}

static bool check_one_of(const struct check *c, struct json_object *schemas,
	struct json_object *value, const char *path)
{
	size_t matches = 0;
	cul_autostr struct cul_str all = {0};
	struct check quiet = {c->root, &all};

	for (size_t i = 0; i < json_object_array_length(schemas); i++)
		matches += check(&quiet, json_object_array_get_idx(schemas, i), value, path);
	if (matches == 1)
		return true;
	return wrong(c, path, matches ? "more than one of oneOf" : cul_str_text(&all));
}

static bool check_ref(
	const struct check *c, struct json_object *ref, struct json_object *value, const char *path)
{
	static const char prefix[] = "#/definitions/";
	const char *name = json_object_get_string(ref);
	struct json_object *definitions = NULL, *schema = NULL;

	json_object_object_get_ex(c->root, "definitions", &definitions);
	if (strncmp(name, prefix, strlen(prefix)) != 0 || !definitions ||
		!json_object_object_get_ex(definitions, name + strlen(prefix), &schema))
		return wrong(c, path, "bad $ref in the schema");
	return check(c, schema, value, path);
}

static bool check_minimum(const struct check *c, struct json_object *least,
	struct json_object *value, const char *path)
{
	if (!has_type("number", value))
		return true;
	return json_object_get_double(value) >= json_object_get_double(least) ||
	       wrong(c, path, "minimum");
}

static bool check(const struct check *c, struct json_object *schema, struct json_object *value,
	const char *path)
{
	static const struct {
		const char *keyword;
		bool (*check)(const struct check *c, struct json_object *arg,
			struct json_object *value, const char *path);
	} keywords[] = {
		{"type", check_type},
		{"enum", check_enum},
		{"pattern", check_pattern},
		{"required", check_required},
		{"items", check_items},
		{"oneOf", check_one_of},
		{"$ref", check_ref},
		{"minimum", check_minimum},
		{"properties", NULL},
		{"additionalProperties", NULL},
		{"definitions", NULL},
		{"description", NULL},
		{"title", NULL},
		{"$schema", NULL},
	};
	enum { N_KEYWORDS = sizeof(keywords) / sizeof(keywords[0]) };
	bool ok = check_members(c, schema, value, path);

	json_object_object_foreach(schema, key, arg)
	{
		size_t i = 0;

		while (i < N_KEYWORDS && strcmp(keywords[i].keyword, key) != 0)
			i++;
		if (i == N_KEYWORDS)
			ok = wrong(c, key, "keyword not known to this checker");
		else if (keywords[i].check)
			ok &= keywords[i].check(c, arg, value, path);
	}
	return ok;
}

bool schema_check(struct json_object *root, struct json_object *schema, struct json_object *value,
	struct cul_str *why)
{
	struct check c = {root, why};

	return check(&c, schema, value, "$");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is the same for the kernel and a process: specs, names of clones, the list. */
#include "sym/sites.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sym/sites_priv.h"

void cul_sites_free(struct cul_sites *s)
{
	if (!s)
		return;
	free(s->sites.data);
	free(s->refused.data);
	cul_arena_free(&s->arena);
	memset(s, 0, sizeof(*s));
}

void cul_sites_found_free(struct sites_found *f)
{
	free(f->sites.data);
	free(f->refused.data);
}

/* Specs */

void cul_sites_spec_free(struct sites_spec *s)
{
	free(s->copy);
}

static int split_offset(struct sites_spec *s, char *name)
{
	char *plus = strrchr(name, '+');

	/* C++ has names with a plus: what follows is no number then. */
	if (!plus || plus == name || cul_parse_u64(plus + 1, &s->offset))
		return 0;
	*plus = '\0';
	s->has_offset = true;
	return strpbrk(name, "*?[") ? -EINVAL : 0;
}

int cul_sites_spec_parse(const char *text, struct sites_spec *out, struct cul_error *err)
{
	struct sites_spec s = {.text = text};
	char *colon, *name;
	int r;

	if (!strncmp(text, "0x", 2)) {
		r = cul_parse_u64(text, &s.addr);
		if (r)
			return cul_fail(err, -EINVAL, "'%s' is no address: %s", text,
				r == -ERANGE ? "too large" : "hexadecimal digits are wanted");
		*out = s;
		return 0;
	}
	s.copy = cul_strdup(text);
	if (!s.copy)
		return cul_fail(err, -ENOMEM, "'%s': out of memory", text);
	name = s.copy;
	colon = cul_str_prefix_end(s.copy);
	if (colon) {
		*colon = '\0';
		s.module = s.copy;
		name = colon + 1;
	}
	r = split_offset(&s, name);
	s.name = name;
	s.literal = strcspn(name, "*?[\\");
	s.is_pattern = name[s.literal] != '\0';
	s.in_source = strstr(name, "::") || strchr(name, '(');
	if (r || !*name || (s.module && !*s.module)) {
		cul_sites_spec_free(&s);
		return cul_fail(err, -EINVAL, "'%s' names no function: %s", text,
			r ? "an offset goes with one function, not with a pattern"
			  : "FUNC, MODULE:FUNC, FUNC+OFFSET, 0xADDRESS or a pattern such as tcp_*");
	}
	*out = s;
	return 0;
}

/* Names of symbols */

/* "isra" of ".isra.0": the word, and its end in `*end`. */
static bool is_word(const char *p, const char *word, const char **end)
{
	size_t n = strlen(word);

	if (strncmp(p, word, n) != 0 || (p[n] && p[n] != '.'))
		return false;
	*end = p + n;
	return true;
}

/* gcc: .isra.0 .constprop.0 .part.0 .cold .lto_priv.0; clang: .llvm.123 .__uniq.123; statics: .0 */
size_t cul_sites_base(const char *symbol, enum sites_form *form)
{
	const char *dot = *symbol ? strchr(symbol + 1, '.') : NULL, *end;
	size_t len = dot ? (size_t)(dot - symbol) : strlen(symbol);
	bool clone = false, cold = false;

	*form = SITES_PLAIN;
	for (const char *p = dot; p && *p == '.'; p = end) {
		p++;
		if (is_word(p, "isra", &end) || is_word(p, "constprop", &end) ||
			is_word(p, "part", &end))
			clone = true;
		else if (is_word(p, "cold", &end))
			cold = true;
		else if (*p >= '0' && *p <= '9')
			end = p + strspn(p, "0123456789");
		else if (!is_word(p, "llvm", &end) && !is_word(p, "lto_priv", &end) &&
			 !is_word(p, "__uniq", &end))
			return strlen(symbol);
		if (*end && *end != '.')
			return strlen(symbol);
	}
	*form = cold ? SITES_COLD : clone ? SITES_CLONE : SITES_PLAIN;
	return len;
}

const char *cul_sites_base_name(struct cul_sites *out, const char *symbol)
{
	enum sites_form form;
	size_t len = cul_sites_base(symbol, &form);

	return symbol[len] ? cul_arena_strndup(&out->arena, symbol, len) : symbol;
}

/* Names that the build and the linker put beside a function's own. */
static bool is_shadow(const char *symbol)
{
	return !strncmp(symbol, "__pfx_", 6) || !strncmp(symbol, "__cfi_", 6) ||
	       !strncmp(symbol, ".L", 2);
}

static bool matches(const struct sites_spec *s, const char *symbol, size_t len)
{
	char base[512];

	if (!symbol[len])
		return !fnmatch(s->name, symbol, 0);
	if (!fnmatch(s->name, symbol, 0))
		return true;
	if (len >= sizeof(base))
		return false;
	memcpy(base, symbol, len);
	base[len] = '\0';
	return !fnmatch(s->name, base, 0);
}

bool cul_sites_spec_names(const struct sites_spec *s, const char *symbol)
{
	enum sites_form form;
	size_t len;

	if (strncmp(symbol, s->name, s->literal) != 0)
		return false;
	if (!s->is_pattern && symbol[s->literal] && symbol[s->literal] != '.')
		return false;
	len = cul_sites_base(symbol, &form);
	if (form == SITES_COLD)
		return false;
	if (s->is_pattern)
		return !is_shadow(symbol) && matches(s, symbol, len);
	return !symbol[s->literal] || len == s->literal;
}

/* The list */

int cul_sites_refuse(struct sites_found *f, const char *symbol, const char *module, const char *why)
{
	struct cul_site_refused *r = cul_vec_push(&f->refused);

	if (!r)
		return -ENOMEM;
	*r = (struct cul_site_refused){symbol, module, why};
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct cul_site *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (int)x->kind - (int)y->kind;
}

static int by_name(const void *a, const void *b)
{
	const struct cul_site *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : by_address(a, b);
}

static void sort(struct cul_sites *s)
{
	struct cul_site *d = s->sites.data;
	size_t n = 0;

	if (!s->sites.len)
		return;
	qsort(d, s->sites.len, sizeof(*d), by_address);
	for (size_t i = 0; i < s->sites.len; i++)
		if (!n || d[n - 1].addr != d[i].addr)
			d[n++] = d[i];
	s->sites.len = n;
	qsort(d, n, sizeof(*d), by_name);
}

static bool is_refused(const struct cul_sites *s, const struct cul_site_refused *r)
{
	for (size_t i = 0; i < s->refused.len; i++)
		if (s->refused.data[i].symbol == r->symbol)
			return true;
	return false;
}

/* Room is made first, so that a failure leaves `out` as it was. */
static int append(struct cul_sites *out, const struct sites_found *f)
{
	size_t n_sites = out->sites.len, n_refused = out->refused.len;

	for (size_t i = 0; i < f->sites.len; i++) {
		struct cul_site *slot = cul_vec_push(&out->sites);

		if (!slot) {
			out->sites.len = n_sites;
			return -ENOMEM;
		}
		*slot = f->sites.data[i];
	}
	for (size_t i = 0; i < f->refused.len; i++) {
		struct cul_site_refused *slot;

		if (is_refused(out, &f->refused.data[i]))
			continue;
		slot = cul_vec_push(&out->refused);
		if (!slot) {
			out->sites.len = n_sites;
			out->refused.len = n_refused;
			return -ENOMEM;
		}
		*slot = f->refused.data[i];
	}
	sort(out);
	return 0;
}

static int fail_refused(
	const struct sites_found *f, const struct sites_spec *s, struct cul_error *err)
{
	const struct cul_site_refused *r = &f->refused.data[0];

	if (f->refused.len == 1)
		return cul_fail(err, -EADDRNOTAVAIL, "%s [%s] cannot be probed: %s", r->symbol,
			r->module, r->why);
	return cul_fail(err, -EADDRNOTAVAIL,
		"'%s': none of %zu functions can be probed; the first is %s [%s]: %s", s->text,
		f->refused.len, r->symbol, r->module, r->why);
}

int cul_sites_count(
	const struct cul_sites *out, size_t n, const struct sites_spec *s, struct cul_error *err)
{
	if (out->sites.len + n <= CUL_SITES_MOST)
		return 0;
	return cul_fail(err, -E2BIG,
		"'%s' stands for %zu functions, and %d can be probed in one run; write a narrower "
		"pattern, or MODULE:PATTERN",
		s->text, n, CUL_SITES_MOST);
}

int cul_sites_add(struct cul_sites *out, struct sites_found *f, const struct sites_spec *s,
	struct cul_error *err)
{
	int r;

	if (!f->sites.len && f->refused.len)
		return fail_refused(f, s, err);
	r = cul_sites_count(out, f->sites.len, s, err);
	if (r)
		return r;
	r = append(out, f);
	return r ? cul_fail(err, r, "'%s': out of memory", s->text) : 0;
}

const struct cul_inlined_copy *cul_sites_keep_copy(
	struct cul_sites *s, const struct cul_inlined_copy *copy)
{
	struct cul_inlined_copy *kept = cul_arena_alloc(&s->arena, sizeof(*kept));

	if (kept)
		*kept = *copy;
	return kept;
}

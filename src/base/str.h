/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing string, and the few string helpers that libc lacks.
 *
 * A `struct cul_str` starts as all zero, owns its bytes and is always NUL
 * terminated once something was added. Once an allocation fails it stays
 * failed: later additions are ignored and `cul_str_failed` says so, so that a
 * run of additions needs one check at its end.
 */
#ifndef CUL_BASE_STR_H
#define CUL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>

struct cul_str {
	char *s; /* NULL while empty and nothing was ever added */
	size_t len;
	size_t cap;
	bool failed;
};

void cul_str_add(struct cul_str *str, const char *s);
void cul_str_addn(struct cul_str *str, const char *s, size_t n);
void cul_str_addf(struct cul_str *str, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cul_str_addv(struct cul_str *str, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
void cul_str_reset(struct cul_str *str);           /* keeps the memory, drops the text */
void cul_str_cut(struct cul_str *str, size_t len); /* drops what is behind `len` bytes */
void cul_str_free(struct cul_str *str);

/* The text, "" when there is none. Borrowed until the next change. */
static inline const char *cul_str_text(const struct cul_str *str)
{
	return str->s ? str->s : "";
}

#define cul_autostr __attribute__((cleanup(cul_str_free)))

/*
 * Edit distance of two names, for "did you mean": letters added, lost, changed or swapped with
 * their neighbour. `max` + 1 stands for anything beyond `max`.
 */
unsigned cul_edit_distance(const char *a, const char *b, unsigned max);

/*
 * Parses a whole string as an unsigned number in C notation (0x, 0 prefix).
 * Returns 0, -EINVAL (not a number or trailing text) or -ERANGE.
 */
int cul_parse_u64(const char *s, uint64_t *value);

/* "10s", "0.5s", "250ms", "5us", "2m", "1h". Nanoseconds out; -EINVAL, -ERANGE. */
int cul_parse_duration(const char *s, uint64_t *ns);

/* The colon behind a prefix ("module:name"), which is no part of a "::". NULL: there is none. */
char *cul_str_prefix_end(char *text);

/*
 * Bytes of the UTF-8 sequence (RFC 3629) that begins at `s`, of which there are `size`, 1 at least,
 * or fewer up to a NUL; its code point in `code`. 0 when it is none.
 */
unsigned cul_utf8_decode(const char *s, size_t size, uint32_t *code);

/* Adds bytes of a string up to a NUL as C would have them in quotes; UTF-8 stays what it is. */
void cul_str_add_quoted(struct cul_str *s, const uint8_t *bytes, size_t size);

#endif

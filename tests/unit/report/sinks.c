/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What sinks do when their output, their file or memory fails, and how the style is found. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "report/json.h"
#include "report/stream.h"
#include "report/tee.h"
#include "report/text.h"

static const struct cul_style plain = {.width = 80};
static const struct cul_watch_armed armed = {.target = "t", .percpu_copy = -1};
static const struct cul_watch_hit hit = {.target = "t", .comm = "c", .number = 1};
static const struct cul_watch_loss loss = {.command_status = -1};

static const struct cul_shown_frame frame = {.where = {.addr = 1, .function = "f"}};
static const struct cul_probe_refused refused = {"f", "m", "w"};
static const struct cul_probe_method method = {"m", 1};
static const struct cul_probe_attached attached = {.spec = "f",
	.methods = &method,
	.n_methods = 1,
	.refused = &refused,
	.n_refused = 1,
	.n_refused_shown = 1,
	.returns = true,
	.note = "n"};
static const struct cul_probe_arg arg = {
	.name = "a", .value = {.text = "1"}, .after = {.text = "2"}};
static const struct cul_probe_reg reg = {"rax", 1};
static const struct cul_probe_call call = {.number = 1,
	.where = {.addr = 1, .function = "f"},
	.comm = "c",
	.args = &arg,
	.n_args = 1,
	.returned = true,
	.ret = {.text = "3"},
	.regs = &reg,
	.n_regs = 1,
	.frames = &frame,
	.n_frames = 1};
static const struct cul_probe_rate rate = {.function = "f", .calls = 1};
static const struct cul_probe_group group = {
	.function = "f", .by = &arg, .n_by = 1, .frames = &frame, .n_frames = 1, .calls = 1};
static const struct cul_probe_bar bar = {1, 2, 3};
static const struct cul_probe_histogram histogram = {
	.measure = "dur", .by = &arg, .n_by = 1, .bars = &bar, .n_bars = 1, .count = 3};
static const struct cul_probe_function function = {.function = "f", .calls = 1};
static const struct cul_probe_loss probe_loss = {.calls = 1, .command_status = -1};

static int play_probe(struct cul_sink *s)
{
	return s->ops->probe_attached(s, &attached) ?: s->ops->probe_call(s, &call)
		?: s->ops->probe_rate(s, &rate, 1) ?: s->ops->probe_groups(s, &group, 1)
		?: s->ops->probe_histogram(s, &histogram)
		?: s->ops->probe_functions(s, &function, 1, 1)
		?: s->ops->probe_loss(s, &probe_loss);
}

static const struct cul_stack_thread stack_thread = {.tid = 1, .pid = 1, .name = "n"};
static const struct cul_stack_frame_shown stack_frame = {
	.where = {.addr = 1, .function = "f"}, .method = "CFI", .times = 2, .period = 1};
static const struct cul_stack_about stack_about = {
	.pid = 1, .process = "p", .arch = "a", .n_threads = 1};
static const struct cul_stack_threads stack_threads = {.threads = &stack_thread,
	.n_threads = 1,
	.frames = &stack_frame,
	.n_frames = 1,
	.end = "e",
	.missing = "m"};
static const struct cul_stack_summary stack_summary = {.n_threads = 1, .n_truncated = 1};

static int play_stack(struct cul_sink *s)
{
	return s->ops->stack_about(s, &stack_about) ?: s->ops->stack_threads(s, &stack_threads)
		?: s->ops->stack_summary(s, &stack_summary);
}

static int play(struct cul_sink *s)
{
	return s->ops->watch_armed(s, &armed) ?: s->ops->watch_hit(s, &hit)
		?: s->ops->watch_loss(s, &loss);
}

static void test_reader_gone(void **state)
{
	for (int json = 0; json < 2; json++) {
		int fds[2];
		FILE *out;
		struct cul_sink *s;

		assert_int_equal(pipe(fds), 0);
		close(fds[0]);
		out = fdopen(fds[1], "w");
		s = json ? cul_json_sink_new(out) : cul_text_sink_new(out, &plain);
		assert_int_equal(play(s), -EPIPE);
		assert_int_equal(play_probe(s), -EPIPE);
		assert_int_equal(play_stack(s), -EPIPE);
		cul_sink_free(s);
		fclose(out);
	}
}

static void test_disk_full(void **state)
{
	FILE *out = fopen("/dev/full", "w");
	struct cul_sink *s = cul_json_sink_new(out);

	assert_int_equal(play(s), -ENOSPC);
	cul_sink_free(s);
	fclose(out);
}

/* Whatever allocation fails: an error or complete output, and nothing leaks. */
static void test_no_memory(void **state)
{
	static int (*const plays[])(struct cul_sink *) = {play, play_probe, play_stack};
	size_t done = 0;

	for (long after = 0; done < sizeof(plays) / sizeof(plays[0]); after++) {
		FILE *out = fopen("/dev/null", "w");
		struct cul_sink *s;
		int r;

		cul_alloc_fail_after(after);
		s = cul_tee_sink_new(cul_text_sink_new(out, &plain), cul_json_sink_new(out));
		r = s ? plays[done](s) : -ENOMEM;
		cul_alloc_fail_after(-1);
		if (r == 0) {
			done++;
			after = -1;
		}
		if (r < 0)
			assert_int_equal(r, -ENOMEM);
		cul_sink_free(s);
		fclose(out);
	}
}

static void test_tee(void **state)
{
	cul_autofree char *text = NULL, *json = NULL;
	size_t text_len, json_len;
	FILE *a = open_memstream(&text, &text_len), *b = open_memstream(&json, &json_len);
	FILE *full = fopen("/dev/full", "w");
	struct cul_sink *s = cul_tee_sink_new(cul_text_sink_new(a, &plain), cul_json_sink_new(b));

	assert_int_equal(play(s), 0);
	assert_int_equal(play_probe(s), 0);
	assert_int_equal(play_stack(s), 0);
	cul_sink_free(s);
	/* the second goes on when the first has failed */
	s = cul_tee_sink_new(cul_json_sink_new(full), cul_json_sink_new(b));
	assert_int_equal(s->ops->watch_loss(s, &loss), -ENOSPC);
	cul_sink_free(s);
	fclose(a);
	fclose(b);
	fclose(full);
	assert_non_null(strstr(text, "no hit"));
	assert_non_null(strstr(text, "nothing that is known was lost"));
	assert_non_null(strstr(json, "\"uncalled\""));
	assert_non_null(strstr(strstr(json, "\"loss\"") + 1, "\"loss\""));
}

static void test_stream_create(void **state)
{
	char dir[] = "/tmp/cul-sinks-XXXXXX";
	struct cul_error err = {0};
	struct stat st;
	FILE *out = NULL;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(cul_stream_create("new", &out, &err), 0);
	fputs("longer than what follows", out);
	fclose(out);
	assert_int_equal(chmod("new", 0644), 0);
	assert_int_equal(cul_stream_create("new", &out, &err), 0);
	assert_int_equal(fstat(fileno(out), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 0);
	assert_true(fcntl(fileno(out), F_GETFD) & FD_CLOEXEC);
	fclose(out);
	out = NULL;
	assert_int_equal(symlink("new", "link"), 0);
	assert_int_equal(cul_stream_create("link", &out, &err), -ELOOP);
	assert_non_null(strstr(err.text, "link: a symbolic link"));
	assert_int_equal(link("new", "second"), 0);
	assert_int_equal(cul_stream_create("second", &out, &err), -EPERM);
	assert_int_equal(cul_stream_create(".", &out, &err), -EISDIR);
	assert_int_equal(cul_stream_create("no/such/dir", &out, &err), -ENOENT);
	assert_null(out);
	assert_int_equal(cul_stream_create("/dev/null", &out, &err), 0);
	fclose(out);
	unlink("new");
	unlink("link");
	unlink("second");
	assert_int_equal(chdir("/"), 0);
	rmdir(dir);
}

static void test_style(void **state)
{
	struct cul_style style;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	setenv("COLUMNS", "132", 1);
	cul_style_detect(&style, fd);
	assert_int_equal(style.width, 132);
	assert_false(style.colour);
	setenv("COLUMNS", "3", 1);
	cul_style_detect(&style, fd);
	assert_int_equal(style.width, 20);
	setenv("COLUMNS", "wide", 1);
	cul_style_detect(&style, fd);
	assert_int_equal(style.width, 80);
	close(fd);

	fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("no pseudo-terminal");
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	cul_style_detect(&style, fd);
	assert_true(style.colour);
	setenv("NO_COLOR", "1", 1);
	cul_style_detect(&style, fd);
	assert_false(style.colour);
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	cul_style_detect(&style, fd);
	assert_false(style.colour);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reader_gone),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_tee),
		cmocka_unit_test(test_stream_create),
		cmocka_unit_test(test_style),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
